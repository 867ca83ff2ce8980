import { readFileSync, statSync } from "node:fs";
import type { Program } from "./read-input.ts";

/** Places where scripts/install.sh puts what belongs to a service. */
export const installedFiles = (program: Program) => ({
  config: `/etc/thormesh/${program}.yaml`,
  environment: `/etc/default/thormesh-${program}`,
  stateDir: `/var/lib/thormesh-${program}`,
  cacheDir: `/var/cache/thormesh-${program}`,
});

/** Reads lines like `NAME="value"` of a service's environment file. */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line);
    if (match !== null) found[match[1] as string] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return found;
}

const exists = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Configuration of the service that is installed on this machine; undefined: none is. */
export function installedConfig(program: Program): string | undefined {
  const { config } = installedFiles(program);
  return exists(config) ? config : undefined;
}

/** User with this id in the text of /etc/passwd. */
export function userOf(uid: number, passwd: string): { name: string; gid: number; home: string } | undefined {
  for (const line of passwd.split("\n")) {
    const [name = "", , id, gid, , home = "/"] = line.split(":");
    if (id === String(uid)) return { name, gid: Number(gid), home };
  }
  return undefined;
}

/** Ids of the groups that a user is a member of, by the text of /etc/group. */
export const groupsOf = (user: string, group: string): number[] =>
  group.split("\n").flatMap((line) => {
    const [, , id, members = ""] = line.split(":");
    return members.split(",").includes(user) ? [Number(id)] : [];
  });

/**
 * Lets a tool that root runs see what the installed service sees: its environment, and its user's rights, for good. Does nothing for other users,
 * and where the state directory is root's.
 */
export function actAsService(program: Program, stateDir: string): void {
  if (process.geteuid?.() !== 0) return;
  const files = installedFiles(program);
  const owner = statSync(stateDir, { throwIfNoEntry: false })?.uid ?? 0;
  const user = owner === 0 ? undefined : userOf(owner, readFileSync("/etc/passwd", "utf8"));
  if (user === undefined) return;
  process.setgroups?.([user.gid, ...groupsOf(user.name, readFileSync("/etc/group", "utf8"))]);
  process.setgid?.(user.gid);
  process.setuid?.(owner);
  process.env["HOME"] = user.home;
  delete process.env["XDG_CACHE_HOME"];
  if (statSync(files.cacheDir, { throwIfNoEntry: false })?.uid === owner)
    process.env["CACHE_DIRECTORY"] = files.cacheDir;
}

/** Adds the variables of the installed service's environment file, which root alone can read, to this process. */
export function adoptServiceEnvironment(program: Program): void {
  const { environment } = installedFiles(program);
  if (process.geteuid?.() !== 0 || !exists(environment)) return;
  for (const [name, value] of Object.entries(parseEnvironmentFile(readFileSync(environment, "utf8"))))
    process.env[name] ??= value;
}
