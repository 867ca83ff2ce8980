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

/** Removes others' access to an entry of ours. Returns true for a directory. */
function closeEntry(path: string, uid: number): boolean {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return false;
  if (stats.uid === uid && (stats.mode & othersBits) !== 0 && (stats.isFile() || stats.isDirectory()))
    chmodSync(path, stats.mode & 0o700);
  return stats.isDirectory();
}

/**
 * Removes access of group and others to a state directory, which earlier versions left open. Files of other users are left alone, and so is a
 * shared directory such as /var/lib or a home. Never throws: failures are logged.
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
  const waiting = [top];
  let seen = 0;
  for (let path = waiting.pop(); path !== undefined && seen < maxEntries; path = waiting.pop()) {
    seen += 1;
    try {
      if (closeEntry(path, uid)) for (const name of readdirSync(path)) waiting.push(join(path, name));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") log.warn({ path, reason: message }, "could not remove other users' access");
    }
  }
}
