/** Upper bounds of the latency buckets in ms; one more bucket holds slower requests. They are fixed, so that histograms of a fleet add up. */
const latencyBoundsMs = [
  1, 2, 3, 5, 7.5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2500, 5000,
];
const highestBoundMs = Math.max(...latencyBoundsMs);

/** Counts per bucket of {@link latencyBoundsMs}, the overflow bucket last. */
export type LatencyCounts = readonly number[];

/** Counts without any request. */
export function emptyLatencyCounts(): number[] {
  return new Array(latencyBoundsMs.length + 1).fill(0);
}

export function latencyBucket(latencyMs: number): number {
  const index = latencyBoundsMs.findIndex((boundMs) => latencyMs <= boundMs);
  return index === -1 ? latencyBoundsMs.length : index;
}

/** Adds counts bucket by bucket; `b` may have fewer. */
export function addLatencyCounts(a: LatencyCounts, b: LatencyCounts): number[] {
  return a.map((count, index) => count + (b[index] ?? 0));
}

/** Share of requests (0..1) within a latency, interpolated within its bucket; null without any request. Slower than the highest bound counts as beyond. */
export function latencyShareWithin(counts: LatencyCounts, latencyMs: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let within = 0;
  for (const [index, upperMs] of latencyBoundsMs.entries()) {
    const lowerMs = latencyBoundsMs[index - 1] ?? 0;
    const part = Math.min(1, Math.max(0, (latencyMs - lowerMs) / (upperMs - lowerMs)));
    within += (counts[index] ?? 0) * part;
  }
  return within / total;
}

/**
 * Quantile (0..1) of the latency in ms, interpolated within its bucket as Prometheus' histogram_quantile does. Null without any request; the
 * highest bound when it lies in the overflow bucket.
 */
export function latencyQuantileMs(counts: LatencyCounts, quantile: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = quantile * total;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const upperMs = latencyBoundsMs[index];
      if (upperMs === undefined) return highestBoundMs;
      const lowerMs = latencyBoundsMs[index - 1] ?? 0;
      return lowerMs + (upperMs - lowerMs) * Math.max(0, (rank - below) / count);
    }
    below += count;
  }
  return highestBoundMs;
}
