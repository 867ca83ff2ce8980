import { chmodSync, lstatSync, rmSync } from "node:fs";

/** Longest path of a Unix socket. */
const maxPathBytes = 107;

/** Removes the socket that a killed run left. Returns why no socket can be made there; null: it can. */
export function clearSocket(path: string): string | null {
  if (Buffer.byteLength(path) > maxPathBytes) return `its path has over ${maxPathBytes} bytes`;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isSocket()) return "another file has its name";
  rmSync(path, { force: true });
  return null;
}

/** Lets nobody but this user and root connect, whatever the directory allows. */
export const closeSocketToOthers = (path: string): void => chmodSync(path, 0o600);
