import { decideMemoryTrend, type MemorySample, type MemoryTrend } from "./decide-memory-trend.ts";
import { explainMemoryTrend } from "./explain-memory-trend.ts";
import { readTreeUsage, type TreeUsage } from "./process-tree.ts";

export interface WatchedProcesses {
  readonly pids: readonly number[];
  /** CPU time of the trees during the run. */
  readonly cpuS: number;
  readonly memoryBytes: { readonly first: number; readonly last: number; readonly most: number };
  readonly memory: {
    readonly kind: MemoryTrend["kind"];
    readonly reason: string;
    /** Medians of two stretches of the run; null without enough samples. */
    readonly earlyBytes: number | null;
    readonly lateBytes: number | null;
  };
  /** Process ids that had ended. */
  readonly gone: readonly number[];
}

/** Limit of samples, enough for hours; beyond it every second one is dropped, so that the rest spans the run evenly. */
const maxSamples = 10_000;

/** Records CPU time and memory of process trees during a run. */
export class ProcessWatch {
  readonly #pids: readonly number[];
  readonly #first = new Map<number, TreeUsage>();
  readonly #last = new Map<number, TreeUsage>();
  readonly #gone = new Set<number>();
  #samples: MemorySample[] = [];
  #startedMs = 0;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
  }

  /** Takes the first sample. @returns process ids that don't exist */
  start(): readonly number[] {
    this.#startedMs = performance.now();
    this.sample();
    for (const [pid, usage] of this.#last) this.#first.set(pid, usage);
    return [...this.#gone];
  }

  /** Takes a sample; call it about once a second. */
  sample(): void {
    let memoryBytes = 0;
    for (const pid of this.#pids) {
      const usage = readTreeUsage(pid);
      if (usage === undefined) {
        this.#gone.add(pid);
        continue;
      }
      this.#last.set(pid, usage);
      memoryBytes += usage.memoryBytes;
    }
    this.#samples.push({ elapsedMs: performance.now() - this.#startedMs, memoryBytes });
    if (this.#samples.length > maxSamples) this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
  }

  finish(): WatchedProcesses {
    this.sample();
    let cpuS = 0;
    for (const [pid, { cpuS: end }] of this.#last) cpuS += end - (this.#first.get(pid)?.cpuS ?? end);
    const trend = decideMemoryTrend(this.#samples);
    const known = trend.kind === "unknown" ? { earlyBytes: null, lateBytes: null } : trend;
    const sizes = this.#samples.map(({ memoryBytes }) => memoryBytes);
    return {
      pids: this.#pids,
      cpuS,
      memoryBytes: { first: sizes[0] ?? 0, last: sizes.at(-1) ?? 0, most: Math.max(...sizes) },
      memory: {
        kind: trend.kind,
        reason: explainMemoryTrend(trend),
        earlyBytes: known.earlyBytes,
        lateBytes: known.lateBytes,
      },
      gone: [...this.#gone],
    };
  }
}
