import { stat } from "node:fs/promises";

/** Tells a file that was written to, replaced or removed from the same one before; the content is not read. */
export type FileStates = ReadonlyMap<string, string>;

export async function readFileStates(paths: Iterable<string>): Promise<FileStates> {
  const states = [...paths].map(async (path) => {
    try {
      const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
      return [path, `${size} ${mtimeNs} ${ctimeNs} ${ino}`] as const;
    } catch {
      return [path, "missing"] as const;
    }
  });
  return new Map(await Promise.all(states));
}

/** The first file that is another one now; null where none is. */
export function changedFile(before: FileStates, now: FileStates): string | null {
  for (const [path, state] of before) if (now.get(path) !== state) return path;
  return null;
}
