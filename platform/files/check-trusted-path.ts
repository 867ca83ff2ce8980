import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "#platform/errors.ts";

const writableByGroup = 0o020;
const writableByOthers = 0o002;
const sticky = 0o1000;
/** Limit of symbolic links in a path, the kernel's own. */
const maxLinks = 40;
/** Limit of a directory tree: a model's has a few dozen entries and is checked every few seconds. */
const maxTreeEntries = 5_000;

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, "0");

/** Owners that are trusted: root, our own user, and the owner of "/", which root is in a user namespace. */
function trustedOwners(): ReadonlySet<number> {
  return new Set([0, process.geteuid?.() ?? 0, statSync("/").uid]);
}

/**
 * Private group of a user, without other members by /etc/passwd and /etc/group (distributions create one for each person, with a umask of 002); null
 * where there is none. Root has none: group 0 has members that are not listed.
 */
export function privateGroup(uid: number, passwd: string, group: string): number | null {
  if (uid === 0) return null;
  const users = passwd.split("\n").map((line) => line.split(":"));
  const own = users.find(([, , id]) => id === String(uid));
  if (own === undefined) return null;
  const [name, , , gid] = own;
  const entry = group
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , id]) => id === gid);
  const isAlone = entry !== undefined && entry[0] === name && (entry[3] ?? "") === "";
  return isAlone && users.every((user) => user === own || user[3] !== gid) ? Number(gid) : null;
}

let ownPrivateGroup: number | null | undefined;
function currentPrivateGroup(): number | null {
  if (ownPrivateGroup !== undefined) return ownPrivateGroup;
  try {
    ownPrivateGroup = privateGroup(
      process.geteuid?.() ?? 0,
      readFileSync("/etc/passwd", "utf8"),
      readFileSync("/etc/group", "utf8"),
    );
  } catch {
    ownPrivateGroup = null;
  }
  return ownPrivateGroup;
}

/** Explains why others could change an entry or a directory's contents; null when they can't. */
function findFlaw(path: string, stats: Stats, owners: ReadonlySet<number>): string | null {
  const { uid, gid, mode } = stats;
  const kind = stats.isDirectory() ? "directory" : "file";
  if (!owners.has(uid)) {
    return (
      `the ${kind} ${path} belongs to user ${uid} (mode ${octal(mode)}), which is neither root nor the user that runs this ` +
      `(${process.geteuid?.()}): change its owner to root or that user (chown)`
    );
  }
  // A device's mode controls its use, not who created it.
  if (stats.isSymbolicLink() || stats.isCharacterDevice()) return null;
  // In a sticky directory only an entry's owner can move or remove it.
  if (stats.isDirectory() && (mode & sticky) !== 0) return null;
  const others = [
    ...((mode & writableByGroup) === 0 || gid === currentPrivateGroup() ? [] : [`group ${gid}`]),
    ...((mode & writableByOthers) === 0 ? [] : ["everybody"]),
  ];
  if (others.length === 0) return null;
  return `${others.join(" and ")} can write to the ${kind} ${path} (owner ${uid}, mode ${octal(mode)}): remove that permission (chmod go-w)`;
}

function findFlawOnTheWay(path: string, owners: ReadonlySet<number>, links: { left: number }): string | null {
  const parent = dirname(path);
  if (parent !== path) {
    const flaw = findFlawOnTheWay(parent, owners, links);
    if (flaw !== null) return flaw;
  }
  const stats = lstatSync(path);
  const flaw = findFlaw(path, stats, owners);
  if (flaw !== null || !stats.isSymbolicLink()) return flaw;
  links.left -= 1;
  if (links.left < 0) return `${path}: too many symbolic links`;
  return findFlawOnTheWay(resolve(parent, readlinkSync(path)), owners, links);
}

/**
 * Explains why a file or directory could have been created or changed by a user other than root or our own: its owner, its mode, or those of a
 * directory or symbolic link on its path. Null when it is trusted, and when it doesn't exist.
 */
export function findUntrusted(path: string): string | null {
  try {
    const owners = trustedOwners();
    // The path as written and the one that the system resolves: they differ where ".." follows a link.
    return (
      findFlawOnTheWay(resolve(path), owners, { left: maxLinks }) ??
      findFlawOnTheWay(realpathSync.native(path), owners, { left: maxLinks })
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    return `${path} can't be checked: ${(error as Error).message}`;
  }
}

/** Checks a directory and everything in it, links followed, as {@link findUntrusted} does. */
export function findUntrustedInTree(directory: string, maxEntries = maxTreeEntries): string | null {
  const owners = trustedOwners();
  const top = findUntrusted(directory);
  if (top !== null) return top;
  const waiting = [directory];
  const directories = new Set<string>();
  let entries = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    entries += 1;
    if (entries > maxEntries) return `${directory} contains more than ${maxEntries} entries`;
    try {
      const stats = lstatSync(path);
      // The directories above an entry were checked before it; a link's target has a path of its own.
      const flaw = stats.isSymbolicLink() ? findUntrusted(path) : findFlaw(path, stats, owners);
      if (flaw !== null) return flaw;
      const target = stats.isSymbolicLink() ? statSync(path) : stats;
      const id = `${target.dev}:${target.ino}`;
      if (!target.isDirectory() || directories.has(id)) continue;
      directories.add(id);
      for (const name of readdirSync(path)) waiting.push(join(path, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        return `${path} can't be checked: ${(error as Error).message}`;
    }
  }
  return null;
}

/**
 * Refuses a file that another user could have created or changed.
 * @param what name of the file's purpose in the error, such as "the configuration"
 * @throws UsageError with the path at fault, its owner and mode, and what to do.
 */
export function checkTrustedPath(path: string, what: string): void {
  const flaw = findUntrusted(path);
  if (flaw !== null) throw new UsageError(`${what} is not used, because other users could have changed it: ${flaw}`);
}

/** Refuses a directory if another user could have changed anything in it, as {@link checkTrustedPath} does. */
export function checkTrustedTree(directory: string, what: string, maxEntries = maxTreeEntries): void {
  const flaw = findUntrustedInTree(directory, maxEntries);
  if (flaw !== null) throw new UsageError(`${what} is not used, because other users could have changed it: ${flaw}`);
}
