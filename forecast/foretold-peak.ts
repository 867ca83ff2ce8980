import type { ForecastReport } from "#protocol/messages.ts";

/**
 * The highest rate that a forecast expects, as likely exceeded as not: the median of the peak where the forecast has it, else its path's own
 * maximum, which is nearly always too low.
 * @param steps only the first so many steps count; all by default. Of fewer than all no quantile is known.
 */
export function foretoldPeakQps({ qps, peakQps }: ForecastReport, steps = qps.length): number {
  const pathPeak = Math.max(...qps.slice(0, steps));
  return peakQps === undefined || steps < qps.length ? pathPeak : Math.max(pathPeak, peakQps.q50);
}
