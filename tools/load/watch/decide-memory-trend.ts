import { minuteMs } from "#platform/time.ts";

export interface MemorySample {
  readonly elapsedMs: number;
  readonly memoryBytes: number;
}

export type MemoryTrend =
  | {
      readonly kind: "flat" | "growing";
      /** Medians of the two compared stretches. */
      readonly earlyBytes: number;
      readonly lateBytes: number;
      /** Settling time, at whose end the first stretch begins. */
      readonly settledMs: number;
    }
  | { readonly kind: "unknown"; readonly rule: "few-samples"; readonly samples: number; readonly needed: number }
  | { readonly kind: "unknown"; readonly rule: "gaps" };

/** Settling time: a server allocates memory for its first requests of every size. */
const settleMs = 2 * minuteMs;
/** Settling time of a short run, as a share of it. */
const settleShare = 0.4;
/** Length of each compared stretch, as a share of the run. */
const stretchShare = 0.1;
const allowedGrowth = 1.1;
const minSamples = 10;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * Judges whether memory stays flat under load: the median of the last tenth of the run within 10 % of the tenth after settling (two minutes, or 40 % of
 * a short run). Medians even out garbage collection.
 * @param samples in order of time
 */
export function decideMemoryTrend(samples: readonly MemorySample[]): MemoryTrend {
  const last = samples.at(-1);
  if (last === undefined || samples.length < minSamples)
    return { kind: "unknown", rule: "few-samples", samples: samples.length, needed: minSamples };
  const endMs = last.elapsedMs;
  const settledMs = Math.min(settleMs, settleShare * endMs);
  const between = (start: number, end: number) =>
    median(samples.filter((one) => one.elapsedMs >= start && one.elapsedMs <= end).map((one) => one.memoryBytes));
  const earlyBytes = between(settledMs, settledMs + stretchShare * endMs);
  const lateBytes = between(endMs - stretchShare * endMs, endMs);
  if (!(earlyBytes > 0) || !(lateBytes > 0)) return { kind: "unknown", rule: "gaps" };
  return { kind: lateBytes <= allowedGrowth * earlyBytes ? "flat" : "growing", earlyBytes, lateBytes, settledMs };
}
