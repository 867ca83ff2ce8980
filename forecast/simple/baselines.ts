/**
 * Simple forecasts, which a model has to beat and which stand in for it. Each takes rates without gaps, oldest first, and returns `steps`
 * rates; zeros without a history.
 */
export type Baseline = (qps: readonly number[], steps: number) => number[];

/** Carries the newest rate forward. */
export const lastValue: Baseline = (qps, steps) => new Array<number>(steps).fill(qps.at(-1) ?? 0);

/** Carries forward the mean of the newest `length` rates (of all if there are fewer). */
export function movingAverage(length: number): Baseline {
  return (qps, steps) => {
    const newest = qps.slice(-length);
    const mean = newest.length === 0 ? 0 : newest.reduce((sum, value) => sum + value, 0) / newest.length;
    return new Array<number>(steps).fill(mean);
  };
}

/**
 * Repeats the rates of one season ago.
 * @param period steps in a season.
 * @returns null when the history does not reach back that far.
 */
export function seasonalNaive(qps: readonly number[], steps: number, period: number): number[] | null {
  if (period < 1 || qps.length < period) return null;
  return Array.from({ length: steps }, (_, step) => qps[qps.length - period + (step % period)] as number);
}
