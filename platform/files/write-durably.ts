import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, symlinkSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Makes what was created, renamed or removed in a directory outlast a power cut. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

const besides = (path: string) => `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was renamed or never created.
  }
}

/**
 * Replaces a file by one with this text, at once and for good: after a power cut it is the old one or the new one, whole. Its mode is as asked whatever
 * the umask: agent and updater, which are different users, read each other's files.
 */
export function writeDurably(path: string, text: string, mode = 0o644): void {
  const temporary = besides(path);
  const handle = openSync(temporary, "wx", mode);
  try {
    try {
      fchmodSync(handle, mode);
      writeSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Points a symbolic link elsewhere at once and for good; it is never missing in between. */
export function linkDurably(target: string, path: string): void {
  const temporary = besides(path);
  symlinkSync(target, temporary);
  try {
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  syncDirectory(dirname(path));
}
