import { homedir } from "node:os";
import { join } from "node:path";

/** Where state is kept unless configuration says otherwise: what systemd assigned, else the user's state directory. */
export function defaultStateDir(
  program: "agent" | "controller",
  environment: Record<string, string | undefined>,
): string {
  const assigned = environment["STATE_DIRECTORY"]?.split(":")[0];
  if (assigned) return join(assigned, program);
  const base = environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(base, "thormesh", program);
}
