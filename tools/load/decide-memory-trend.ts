import { minuteMs } from "#platform/time.ts";

export interface MemorySample {
  readonly elapsedMs: number;
  readonly rssBytes: number;
}

export interface MemoryTrend {
  readonly kind: "flat" | "growing" | "unknown";
  readonly reason: string;
  /** Medians of the two stretches that are compared; null when too little was seen. */
  readonly earlyBytes: number | null;
  readonly lateBytes: number | null;
}

/** A server takes memory for its first requests of every shape: what it holds until then says nothing. */
const settleMs = 2 * minuteMs;
/** Of a shorter run, this share is settling. */
const settleShare = 0.4;
/** Of the run, each of the two stretches that are compared. */
const stretchShare = 0.1;
const allowedGrowth = 1.1;
const fewestSamples = 10;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * Whether memory stays flat under load: the last tenth of the run within 10 % of the tenth that follows the settling (two minutes, or
 * 40 % of a short run). Medians, because a garbage collector swings.
 * @param samples in order of time
 */
export function decideMemoryTrend(samples: readonly MemorySample[]): MemoryTrend {
  const last = samples.at(-1);
  if (last === undefined || samples.length < fewestSamples) {
    const reason = `only ${samples.length} samples of memory; a verdict takes ${fewestSamples}`;
    return { kind: "unknown", reason, earlyBytes: null, lateBytes: null };
  }
  const endMs = last.elapsedMs;
  const fromMs = Math.min(settleMs, settleShare * endMs);
  const between = (start: number, end: number) =>
    median(samples.filter((one) => one.elapsedMs >= start && one.elapsedMs <= end).map((one) => one.rssBytes));
  const earlyBytes = between(fromMs, fromMs + stretchShare * endMs);
  const lateBytes = between(endMs - stretchShare * endMs, endMs);
  if (!(earlyBytes > 0) || !(lateBytes > 0)) {
    return { kind: "unknown", reason: "the samples of memory have gaps", earlyBytes: null, lateBytes: null };
  }
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const change = lateBytes / earlyBytes - 1;
  const percent = `${change >= 0 ? "+" : "-"}${Math.abs(change * 100).toFixed(1)} %`;
  return {
    kind: lateBytes <= allowedGrowth * earlyBytes ? "flat" : "growing",
    reason: `${mb(earlyBytes)} after ${Math.round(fromMs / 1_000)} s, ${mb(lateBytes)} at the end (${percent})`,
    earlyBytes,
    lateBytes,
  };
}
