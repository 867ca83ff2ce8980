/**
 * Mean pinball (quantile) loss: an actual value above its forecast costs `quantile` a unit, one below 1 - `quantile` (Koenker and
 * Bassett 1978). At 0.5 it is half the mean absolute error.
 * @param actual and `forecast`: the same number of values, at least one.
 */
export function pinballLoss(actual: readonly number[], forecast: readonly number[], quantile: number): number {
  let sum = 0;
  for (const [index, value] of actual.entries()) {
    const above = value - (forecast[index] as number);
    sum += above >= 0 ? quantile * above : (quantile - 1) * above;
  }
  return sum / actual.length;
}

/** Share of actual values that do not exceed their forecasts. */
export function coverage(actual: readonly number[], forecast: readonly number[]): number {
  return actual.filter((value, index) => value <= (forecast[index] as number)).length / actual.length;
}

/**
 * Factor by which a forecast must be multiplied to be exceeded with probability 1 - `quantile` at most: split conformal prediction on the
 * ratios of actual values to forecasts (Vovk 2005), the ⌈(n + 1) · quantile⌉-th smallest. Forecasts of zero have no ratio and are left out; 1
 * when none is left.
 */
export function conformalFactor(actual: readonly number[], forecast: readonly number[], quantile: number): number {
  const ratios = actual.map((value, index) => value / (forecast[index] as number)).filter(Number.isFinite);
  if (ratios.length === 0) return 1;
  ratios.sort((a, b) => a - b);
  const rank = Math.min(ratios.length, Math.ceil((ratios.length + 1) * quantile));
  return ratios[rank - 1] as number;
}
