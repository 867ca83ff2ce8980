import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CpuTicks, parseCpuTicks, parseMemory, parseProcess } from "./parse-proc.ts";

/** Counters of the device and of some of its processes; null where the system does not tell them. */
export interface SystemCounters {
  readonly cpu: CpuTicks | null;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number } | null;
  /** By process id; those that ended are missing. */
  readonly processes: ReadonlyMap<number, { readonly ticks: number; readonly pages: number }>;
}

export type ReadSystemCounters = (pids: readonly number[]) => Promise<SystemCounters>;

/** Returns a reader of /proc, which finds nothing where there is none. */
export function createProcReader(root = "/proc"): ReadSystemCounters {
  const read = (...path: string[]) => readFile(join(root, ...path), "utf8").catch(() => "");
  return async (pids) => {
    const [stat, memory, ...processes] = await Promise.all([
      read("stat"),
      read("meminfo"),
      ...pids.map(async (pid) => [pid, parseProcess(await read(String(pid), "stat"))] as const),
    ]);
    return {
      cpu: parseCpuTicks(stat),
      memory: parseMemory(memory),
      processes: new Map(processes.flatMap(([pid, counters]) => (counters === null ? [] : [[pid, counters] as const]))),
    };
  };
}
