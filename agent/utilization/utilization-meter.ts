import type { Utilization } from "#protocol/messages.ts";
import type { ReadSystemCounters, SystemCounters } from "./system-counters.ts";

export interface UtilizationMeterParts {
  readonly read: ReadSystemCounters;
  /** Processes of this program. */
  readonly pids: () => readonly number[];
  /** Load of the GPU, 0 to 1; null: not measured. */
  readonly gpu: () => Promise<number | null>;
  readonly nowMs: () => number;
}

interface Sample extends Utilization {
  readonly atMs: number;
}

/** More than a minute of samples, one every two seconds. */
const maxSamples = 64;
/** Size of a page on every system that this program is built for. */
const pageBytes = 4096;

const unknown: Utilization = {
  ...{ cpu: null, gpu: null, memory: null, processCpu: null, processMemory: null, memoryBytes: null },
};
const figures = Object.keys(unknown) as (keyof Utilization)[];

/** Returns a part of a whole, 0 to 1; null where it is unknown. */
function share(part: number | null, whole: number): number | null {
  return part !== null && whole > 0 ? Math.min(1, Math.max(0, part / whole)) : null;
}

/** Ticks of the processes between two readings; one that is new counts from its start. */
function processTicks(before: SystemCounters, now: SystemCounters): number | null {
  if (now.processes.size === 0) return null;
  let sum = 0;
  for (const [pid, { ticks }] of now.processes) {
    const then = before.processes.get(pid)?.ticks ?? 0;
    // A process with an old one's number is new.
    sum += ticks < then ? ticks : ticks - then;
  }
  return sum;
}

/** Measures how busy the device is, and which part of it this program takes. Figures that can't be read are null. */
export class UtilizationMeter {
  readonly #parts: UtilizationMeterParts;
  #before: SystemCounters | null = null;
  /** The oldest first. */
  #samples: Sample[] = [];

  constructor(parts: UtilizationMeterParts) {
    this.#parts = parts;
  }

  /** Measures the time since the last call. */
  async sample(): Promise<void> {
    const { read, pids, gpu, nowMs } = this.#parts;
    const [now, gpuLoad] = await Promise.all([read(pids()), gpu()]);
    const before = this.#before;
    this.#before = now;
    const { cpu, memory, processes } = now;
    const elapsed = cpu === null || before?.cpu == null ? 0 : cpu.total - before.cpu.total;
    const residentBytes = [...processes.values()].reduce((sum, { pages }) => sum + pages * pageBytes, 0);
    this.#samples.push({
      atMs: nowMs(),
      cpu: share((cpu?.busy ?? 0) - (before?.cpu?.busy ?? 0), elapsed),
      gpu: gpuLoad === null ? null : share(gpuLoad, 1),
      memory: memory === null ? null : share(memory.totalBytes - memory.availableBytes, memory.totalBytes),
      processCpu: before === null ? null : share(processTicks(before, now), elapsed),
      processMemory: memory === null || processes.size === 0 ? null : share(residentBytes, memory.totalBytes),
      memoryBytes: memory?.totalBytes ?? null,
    });
    if (this.#samples.length > maxSamples) this.#samples.shift();
  }

  /** Returns the newest figures. */
  latest(): Utilization {
    const { atMs, ...latest } = this.#samples.at(-1) ?? { atMs: 0, ...unknown };
    return latest;
  }

  /** Returns the means since then; the newest figures where nothing was measured since. */
  mean(sinceMs: number): Utilization {
    const samples = this.#samples.filter(({ atMs }) => atMs > sinceMs);
    if (samples.length === 0) return this.latest();
    const meanOf = (figure: keyof Utilization) => {
      const values = samples.flatMap((sample) => sample[figure] ?? []);
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    return Object.fromEntries(figures.map((figure) => [figure, meanOf(figure)])) as Utilization;
  }
}
