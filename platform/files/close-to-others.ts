import { chmodSync, lstatSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Logger } from "#platform/log.ts";
import { findUntrusted } from "./check-trusted-path.ts";

const othersBits = 0o077;
/** A state directory holds some thousand files at most: models and weights. */
const maxEntries = 20_000;

/** From here on what this process and its children make is for their user alone: databases, logs, keys, sockets, downloads. */
export function closeNewFiles(): void {
  process.umask(othersBits);
}

/** Directories that belong to the system or to a person as a whole, whatever is kept in them. */
function isShared(path: string): boolean {
  if (basename(path).includes("thormesh")) return false;
  const parent = dirname(path);
  return parent === "/" || path === resolve(homedir()) || ["/var", "/usr", "/usr/local", "/home"].includes(parent);
}

/** Takes others' rights away from one entry of ours, and says if it is a directory to look into. */
function closeEntry(path: string, uid: number): boolean {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return false;
  if (stats.uid === uid && (stats.mode & othersBits) !== 0 && (stats.isFile() || stats.isDirectory()))
    chmodSync(path, stats.mode & 0o700);
  return stats.isDirectory();
}

/**
 * Takes from group and others what rights they have in a directory of state, which earlier versions left open. What belongs to another user is
 * left alone, and so is a directory that is not ours alone, such as /var/lib or a home. Never throws: the log has what could not be done.
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
      if (code !== "ENOENT") log.warn({ path, reason: message }, "other users' access to it could not be removed");
    }
  }
}
