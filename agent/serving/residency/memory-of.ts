import { readFile } from "node:fs/promises";

/** A process' resident memory, bytes. */
export interface ResidentMemory {
  readonly own: number;
  /** Pages of files, which other processes of the same program and model map too. */
  readonly mapped: number;
}

/** Parses /proc/PID/status; null where it has no such lines. */
export function parseResidentMemory(status: string): ResidentMemory | null {
  const bytes = (name: string) => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  };
  const own = bytes("RssAnon");
  const file = bytes("RssFile");
  const shared = bytes("RssShmem");
  return own === null || file === null || shared === null ? null : { own, mapped: file + shared };
}

async function readMemory(pid: number): Promise<ResidentMemory | null> {
  try {
    return parseResidentMemory(await readFile(`/proc/${pid}/status`, "utf8"));
  } catch {
    return null; // no /proc here, or the process has just ended
  }
}

/** Returns the memory of one model's processes, which map the same files; null when it is unknown. */
export async function memoryOf(pids: readonly number[]): Promise<number | null> {
  const known = (await Promise.all(pids.map(readMemory))).filter((each) => each !== null);
  if (known.length === 0) return null;
  return known.reduce((sum, { own }) => sum + own, 0) + Math.max(...known.map(({ mapped }) => mapped));
}
