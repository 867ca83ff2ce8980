import { addLatencyCounts, emptyLatencyCounts, latencyBucket, latencyQuantileMs } from "#protocol/latency-histogram.ts";

const windowMs = 60_000;

/** What a model did of late: the present minute and the one before, in real time. */
export interface RecentTraffic {
  /** A request that was answered, and how many of its texts had to be computed. */
  record(latencyMs: number, computedTexts: number, atMs: number): void;
  /** Over the last one to two minutes; p95 is null without a request. */
  summary(atMs: number): {
    readonly latencyP95Ms: number | null;
    readonly throughputQps: number;
    /** Texts a second that were computed: how fast a line of waiting ones gets shorter. */
    readonly computedTextsPerS: number;
  };
}

/** @param startMs a reading of the clock whose readings the methods are given (performance.now) */
export function createRecentTraffic(startMs: number): RecentTraffic {
  let windowStartMs = startMs;
  let previousStartMs = startMs;
  let present = emptyLatencyCounts();
  let previous = emptyLatencyCounts();
  let presentTexts = 0;
  let previousTexts = 0;
  const turn = (atMs: number) => {
    if (atMs - windowStartMs < windowMs) return;
    const skipped = atMs - windowStartMs >= 2 * windowMs;
    previous = skipped ? emptyLatencyCounts() : present;
    previousTexts = skipped ? 0 : presentTexts;
    previousStartMs = skipped ? atMs : windowStartMs;
    windowStartMs = skipped ? atMs : windowStartMs + windowMs;
    present = emptyLatencyCounts();
    presentTexts = 0;
  };
  return {
    record(latencyMs, computedTexts, atMs) {
      turn(atMs);
      const bucket = latencyBucket(latencyMs);
      present[bucket] = (present[bucket] ?? 0) + 1;
      presentTexts += computedTexts;
    },
    summary(atMs) {
      turn(atMs);
      const both = addLatencyCounts(previous, present);
      const requests = both.reduce((sum, count) => sum + count, 0);
      const seconds = Math.max(1, (atMs - previousStartMs) / 1000);
      return {
        latencyP95Ms: latencyQuantileMs(both, 0.95),
        throughputQps: requests / seconds,
        computedTextsPerS: (previousTexts + presentTexts) / seconds,
      };
    },
  };
}
