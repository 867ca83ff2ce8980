import { minuteMs } from "#platform/time.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyBucket, latencyQuantileMs } from "#protocol/latency-histogram.ts";

const windowMs = minuteMs;

/**
 * Counts a model's answered requests in the present minute and the one before.
 * @param startMs on the clock of the methods' `atMs` (performance.now)
 */
export function createRecentTraffic(startMs: number) {
  let windowStartMs = startMs;
  let previousStartMs = startMs;
  let present = emptyLatencyCounts();
  let previous = emptyLatencyCounts();
  const turn = (atMs: number) => {
    if (atMs - windowStartMs < windowMs) return;
    const skipped = atMs - windowStartMs >= 2 * windowMs;
    previous = skipped ? emptyLatencyCounts() : present;
    previousStartMs = skipped ? atMs : windowStartMs;
    windowStartMs = skipped ? atMs : windowStartMs + windowMs;
    present = emptyLatencyCounts();
  };
  return {
    record(latencyMs: number, atMs: number) {
      turn(atMs);
      const bucket = latencyBucket(latencyMs);
      present[bucket] = (present[bucket] ?? 0) + 1;
    },
    /** Figures of the last one to two minutes; p95 is null without a request. */
    summary(atMs: number): { readonly latencyP95Ms: number | null; readonly throughputQps: number } {
      turn(atMs);
      const both = addLatencyCounts(previous, present);
      const requests = both.reduce((sum, count) => sum + count, 0);
      const seconds = Math.max(1, (atMs - previousStartMs) / 1000);
      return { latencyP95Ms: latencyQuantileMs(both, 0.95), throughputQps: requests / seconds };
    },
  };
}
