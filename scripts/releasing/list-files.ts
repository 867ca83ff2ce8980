import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import type { TarEntry } from "./tar.ts";

/** Lists the files and links below a directory as entries of an archive, with their modes and without their owners. */
export function listFiles(directory: string): TarEntry[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((found): TarEntry[] => {
    const place = join(found.parentPath, found.name);
    const path = relative(directory, place);
    if (found.isSymbolicLink()) return [{ path, kind: "link", target: readlinkSync(place) }];
    if (!found.isFile()) return [];
    return [{ path, kind: "file", mode: lstatSync(place).mode & 0o755, content: readFileSync(place) }];
  });
}
