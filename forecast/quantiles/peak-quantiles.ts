/** Quantiles of the highest coming rate that are forecast. */
export const peakQuantiles = [0.5, 0.9, 0.95] as const;

/** Values of the quantiles 0.5, 0.9 and 0.95, requests per second: none negative, none below the one before. */
export type PeakQuantiles = readonly [number, number, number];

/** Turns separately estimated values into quantiles: crossings are undone by sorting (Chernozhukov and others 2010). */
export function inOrder(values: readonly number[]): PeakQuantiles {
  const [first = 0, second = 0, third = 0] = values.map((value) => Math.max(0, value)).sort((a, b) => a - b);
  return [first, second, third];
}

/** Mean pinball loss of the three quantiles. */
export function peakLoss(actual: number, forecast: PeakQuantiles): number {
  let sum = 0;
  for (const [which, quantile] of peakQuantiles.entries()) {
    const above = actual - (forecast[which] as number);
    sum += above >= 0 ? quantile * above : (quantile - 1) * above;
  }
  return sum / peakQuantiles.length;
}
