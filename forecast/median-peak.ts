import type { ForecastReport } from "#protocol/messages.ts";

/** Returns the maximum of the forecast path: the highest rate of a single step, nearly always below the peak that comes. */
export const pathMaxQps = ({ qps }: Pick<ForecastReport, "qps">): number => Math.max(0, ...qps);

/**
 * Returns the forecast peak in requests per second, as likely to be exceeded as not: the median of the peak if the forecast has one, otherwise
 * the path's maximum, which is nearly always too low.
 * @param steps limits it to the first steps (default: all). A shortened forecast has no quantiles of its peak.
 */
export function medianPeakQps({ qps, peakQps }: ForecastReport, steps = qps.length): number {
  const pathMaximum = pathMaxQps({ qps: qps.slice(0, steps) });
  return peakQps === undefined || steps < qps.length ? pathMaximum : Math.max(pathMaximum, peakQps.q50);
}
