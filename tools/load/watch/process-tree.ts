import { readdirSync, readFileSync } from "node:fs";

/** Unit of CPU time in /proc: hundredths of a second on every architecture. */
const ticksPerS = 100;

export interface TreeUsage {
  readonly processes: number;
  /** User and system time of the tree since its start, including processes that ended and were reaped. */
  readonly cpuS: number;
  /** Memory of the tree: a page that several processes share counts once, in parts, as far as this user may see that. */
  readonly memoryBytes: number;
  /** Resident memory of the tree's processes together: a page that several share counts in each of them. */
  readonly residentBytes: number;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // The process has ended.
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

const kib = (text: string | undefined, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text ?? "")?.[1] ?? 0);

/** Memory of one process; of another user's, whose shares can't be read, its resident memory in place of its share. */
function memoryKibOf(pid: number): { readonly share: number; readonly resident: number } {
  const resident = kib(read(`/proc/${pid}/status`), "VmRSS");
  return { share: kib(read(`/proc/${pid}/smaps_rollup`), "Pss") || resident, resident };
}

/** CPU time and memory of a process and all its descendants, from /proc; undefined if it does not exist. */
export function readTreeUsage(root: number): TreeUsage | undefined {
  let processes = 0;
  let ticks = 0;
  let shareKib = 0;
  let residentKib = 0;
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === undefined) continue;
    // The program's name is in brackets and may contain anything; see proc(5) for the columns.
    const columns = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += [11, 12, 13, 14].reduce((sum, column) => sum + Number(columns[column]), 0);
    const { share, resident } = memoryKibOf(pid);
    shareKib += share;
    residentKib += resident;
    processes += 1;
    waiting.push(...childrenOf(pid));
  }
  if (processes === 0) return undefined;
  return { processes, cpuS: ticks / ticksPerS, memoryBytes: shareKib * 1024, residentBytes: residentKib * 1024 };
}

/** Memory of a process and all its descendants by command, bytes; a page that several processes map counts in parts. */
export function readTreePss(root: number): { readonly command: string; readonly pssBytes: number }[] {
  const rollup = read(`/proc/${root}/smaps_rollup`);
  if (rollup === undefined) return [];
  // Arguments are separated by zeros; the second one of this program's processes is their command, from the sources the third.
  const [, first = "", second = ""] = read(`/proc/${root}/cmdline`)?.split("\0") ?? [];
  const command = first.endsWith("main.ts") ? second : first;
  const pssBytes = kib(rollup, "Pss") * 1024;
  return [{ command, pssBytes }, ...childrenOf(root).flatMap(readTreePss)];
}

/** CPU seconds of all programs since the machine's start, without I/O wait; undefined without /proc. */
export function readMachineCpuS(): number | undefined {
  const line = read("/proc/stat")?.split("\n")[0];
  if (line === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softIrq + steal) / ticksPerS;
}
