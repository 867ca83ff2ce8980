/** Errors of forecasts against actual values. Percentages are of 100. */
export interface ForecastErrors {
  /** Values compared. */
  readonly count: number;
  /** Mean absolute error, in the values' own unit. */
  readonly mae: number;
  /** Sum of absolute errors over the sum of the actual values; null when that is zero. */
  readonly wapePercent: number | null;
  /** Mean of |error| / actual over the values that are not zero; null when all are. */
  readonly mapePercent: number | null;
  /** Values that MAPE leaves out because they are zero. */
  readonly zeros: number;
  /** 1 - squared errors / squared distances from the mean; null when the actual values are all equal. */
  readonly r2: number | null;
  /** Mean of forecast - actual: negative when too little was forecast. */
  readonly bias: number;
}

/**
 * Measures the errors of forecasts.
 * @param actual and `forecast`: the same number of values, at least one.
 * @throws RangeError when the lengths differ or there is nothing to compare.
 */
export function measureErrors(actual: ArrayLike<number>, forecast: ArrayLike<number>): ForecastErrors {
  const count = actual.length;
  if (count === 0 || forecast.length !== count) {
    throw new RangeError(`expected as many forecasts as values, at least one, got ${forecast.length} for ${count}`);
  }
  let sum = 0;
  let absolute = 0;
  let squared = 0;
  let relative = 0;
  let signed = 0;
  let zeros = 0;
  for (let index = 0; index < count; index += 1) {
    const value = actual[index] as number;
    const error = (forecast[index] as number) - value;
    sum += value;
    signed += error;
    absolute += Math.abs(error);
    squared += error * error;
    if (value === 0) zeros += 1;
    else relative += Math.abs(error / value);
  }
  const mean = sum / count;
  let spread = 0;
  for (let index = 0; index < count; index += 1) spread += ((actual[index] as number) - mean) ** 2;
  return {
    count,
    mae: absolute / count,
    wapePercent: sum === 0 ? null : (100 * absolute) / sum,
    mapePercent: zeros === count ? null : (100 * relative) / (count - zeros),
    zeros,
    r2: spread === 0 ? null : 1 - squared / spread,
    bias: signed / count,
  };
}

/**
 * Smallest WAPE that any forecaster can reach on independent requests, in percent: a Poisson count with mean λ lies √(2λ/π) from λ on
 * average (normal approximation), so that even a forecast of the true rate errs by that.
 * @param counts requests in each step, standing in for the unknown rates.
 */
export function poissonFloorPercent(counts: readonly number[]): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const noise = counts.reduce((sum, count) => sum + Math.sqrt((2 * count) / Math.PI), 0);
  return total === 0 ? null : (100 * noise) / total;
}
