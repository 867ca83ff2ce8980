import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { isCarried, readCarriedFile } from "./carried-file.ts";

const defaultMaxBytes = 64 * 1024 * 1024;

/**
 * Reads a file that others may have created: refuses pipes, which could block the reader, devices, which never end, and files that are too large.
 * @throws Error with the `code` of opening it, or with what was found instead.
 */
export async function readRegularFile(path: string, maxBytes = defaultMaxBytes): Promise<Uint8Array<ArrayBuffer>> {
  if (isCarried(path)) return await readCarriedFile(path);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path} is not a file`);
    if (stats.size > maxBytes) throw new Error(`${path} has ${stats.size} bytes, expected at most ${maxBytes}`);
    const bytes = new Uint8Array(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, Math.min(bytes.length - length, 2 ** 30), length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** Reads a file as UTF-8 text, as {@link readRegularFile} does. */
export async function readRegularText(path: string, maxBytes?: number): Promise<string> {
  return new TextDecoder().decode(await readRegularFile(path, maxBytes));
}

/**
 * Opens a file to read in pieces; the caller closes it.
 * @throws Error with the `code` of opening it, or when it is not a regular file.
 */
export function openRegularFile(path: string): number {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new Error(`${path} is not a file`);
}
