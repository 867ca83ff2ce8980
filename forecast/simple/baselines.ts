/**
 * Simple forecasts: what a model has to beat, and what stands in for it. Each takes rates without gaps, oldest first, and answers with
 * `steps` rates; no history gives zeros.
 */
export type Baseline = (qps: readonly number[], steps: number) => number[];

/** The newest rate goes on. */
export const lastValue: Baseline = (qps, steps) => new Array<number>(steps).fill(qps.at(-1) ?? 0);

/** The mean of the `length` newest rates (of all when there are fewer) goes on. */
export function movingAverage(length: number): Baseline {
  return (qps, steps) => {
    const newest = qps.slice(-length);
    const mean = newest.length === 0 ? 0 : newest.reduce((sum, value) => sum + value, 0) / newest.length;
    return new Array<number>(steps).fill(mean);
  };
}

/**
 * What was a season ago comes again.
 * @param period steps in a season.
 * @returns null when the history does not reach back that far.
 */
export function seasonalNaive(qps: readonly number[], steps: number, period: number): number[] | null {
  if (period < 1 || qps.length < period) return null;
  return Array.from({ length: steps }, (_, step) => qps[qps.length - period + (step % period)] as number);
}
