import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { readSecretFile } from "./read-secret-file.ts";

/** Reads a secret as {@link readSecretFile} does; null where there is no such file. */
export function readSecretIfThere(path: string, what: string): string | null {
  return existsSync(path) ? readSecretFile(path, what) : null;
}

/** Replaces a file atomically with one that only this user can read; creates its directory (0700) if missing. */
export function writeSecretFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // It was renamed or never created.
    }
    throw error;
  }
}
