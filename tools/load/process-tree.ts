import { readdirSync, readFileSync } from "node:fs";

/** Linux counts the CPU time it shows to programs in hundredths of a second, on every architecture. */
const ticksPerS = 100;

export interface TreeUsage {
  readonly processes: number;
  /** User and system time of the tree since its processes began, those that ended and were waited for included. */
  readonly cpuS: number;
  /** Resident memory, summed: pages that processes share count in each. */
  readonly rssBytes: number;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // The process ended meanwhile.
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      (read(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** CPU time and memory of a process and all its descendants, from /proc; undefined when it is not (or no longer) there. */
export function readTreeUsage(root: number): TreeUsage | undefined {
  let processes = 0;
  let ticks = 0;
  let rssKib = 0;
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === undefined) continue;
    // The name of the program stands in brackets and may hold anything; see proc(5) for the columns.
    const columns = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += [11, 12, 13, 14].reduce((sum, column) => sum + Number(columns[column]), 0);
    rssKib += Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
    processes += 1;
    waiting.push(...childrenOf(pid));
  }
  return processes === 0 ? undefined : { processes, cpuS: ticks / ticksPerS, rssBytes: rssKib * 1024 };
}

/** CPU seconds that all programs of the machine have used since it started, waiting for disks left aside; undefined without /proc. */
export function readMachineCpuS(): number | undefined {
  const line = read("/proc/stat")?.split("\n")[0];
  if (line === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softIrq + steal) / ticksPerS;
}
