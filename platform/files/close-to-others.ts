import { chmodSync, lstatSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Logger } from "#platform/log.ts";
import { findUntrusted } from "./check-trusted-path.ts";

const othersBits = 0o077;
/** Limit of a state directory, which holds a few thousand files of models and weights. */
const maxEntries = 20_000;

/** Makes new files of this process and its children private to their user: databases, logs, keys, sockets, downloads. */
export function closeNewFiles(): void {
  process.umask(othersBits);
}

/** True for directories that belong to the system or to a person as a whole. */
function isShared(path: string): boolean {
  if (basename(path).includes("thormesh")) return false;
  const parent = dirname(path);
  return parent === "/" || path === resolve(homedir()) || ["/var", "/usr", "/usr/local", "/home"].includes(parent);
}

/** Files whose content grants access to something. */
const secretFile = /(^identity\.json|\.key|\.password)$/;

interface Entry {
  readonly path: string;
  /** True where no directory above it, up to the state directory, kept others out. */
  readonly isReachable: boolean;
}

interface Closed {
  readonly isDirectory: boolean;
  /** True where others could read the file, or pass through the directory. */
  readonly wasOpen: boolean;
}

/** Removes others' access to an entry of ours. */
function closeEntry({ path, isReachable }: Entry, uid: number): Closed {
  const stats = lstatSync(path);
  const isDirectory = stats.isDirectory();
  const wasOpen = isReachable && (stats.mode & (isDirectory ? 0o011 : 0o044)) !== 0;
  if (stats.uid === uid && (stats.mode & othersBits) !== 0 && (stats.isFile() || isDirectory))
    chmodSync(path, stats.mode & 0o700);
  return { isDirectory, wasOpen: wasOpen && stats.uid === uid && !stats.isSymbolicLink() };
}

/**
 * Removes access of group and others to a state directory, which earlier versions left open. Files of other users are left alone, and so is a
 * shared directory such as /var/lib or a home. Never throws: failures are logged, and so are secrets that others could read until now.
 */
export function closeStateDirectory(directory: string, log: Logger): void {
  const top = resolve(directory);
  const uid = process.geteuid?.() ?? 0;
  const flaw = findUntrusted(top);
  if (flaw !== null) log.error({ directory }, `other users could change files in the state directory: ${flaw}`);
  if (isShared(top)) {
    log.warn({ directory }, "other users can read the state directory: choose a directory that holds nothing else");
    return;
  }
  const waiting: Entry[] = [{ path: top, isReachable: true }];
  const read: string[] = [];
  let seen = 0;
  for (let entry = waiting.pop(); entry !== undefined && seen < maxEntries; entry = waiting.pop()) {
    seen += 1;
    const { path } = entry;
    try {
      const { isDirectory, wasOpen } = closeEntry(entry, uid);
      if (!isDirectory && wasOpen && secretFile.test(basename(path))) read.push(path);
      if (isDirectory)
        for (const name of readdirSync(path)) waiting.push({ path: join(path, name), isReachable: wasOpen });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") log.warn({ path, reason: message }, "could not remove other users' access");
    }
  }
  if (read.length > 0)
    log.warn(
      { files: read },
      "other users could read these secrets until now: change them, as docs/security.md (Secrets) says",
    );
}
