import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Base of the state directories of this user's thormesh programs: assigned by systemd, else in the user's state directory. */
export function defaultStateBase(environment: Environment): string {
  const assigned = environment["STATE_DIRECTORY"]?.split(":")[0];
  if (assigned) return assigned;
  return join(environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "thormesh");
}

export function defaultStateDir(program: "agent" | "controller", environment: Environment): string {
  return join(defaultStateBase(environment), program);
}
