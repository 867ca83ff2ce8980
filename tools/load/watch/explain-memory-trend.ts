import type { MemoryTrend } from "./decide-memory-trend.ts";

const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** Explains in a sentence why memory is flat or grows, or why that is unknown. */
export function explainMemoryTrend(trend: MemoryTrend): string {
  if (trend.kind === "unknown") {
    return trend.rule === "gaps"
      ? "the memory samples have gaps"
      : `only ${trend.samples} memory samples of the required ${trend.needed}`;
  }
  const { earlyBytes, lateBytes, settledMs } = trend;
  const change = 100 * (lateBytes / earlyBytes - 1);
  const percent = `${change >= 0 ? "+" : "-"}${Math.abs(change).toFixed(1)} %`;
  return `${mb(earlyBytes)} after ${Math.round(settledMs / 1_000)} s, ${mb(lateBytes)} at the end (${percent})`;
}
