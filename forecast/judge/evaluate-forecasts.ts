import { type RateSeries, ratesFrom, windowBefore } from "#forecast/data/training-samples.ts";
import { fromOutput, outputMinutes, scaleOf } from "#forecast/data/window-features.ts";
import { type Baseline, lastValue, movingAverage } from "#forecast/simple/baselines.ts";
import { type ForecastErrors, measureErrors } from "./error-measures.ts";

/** Errors of one forecaster, on the same origins as the others'. */
export interface Evaluation {
  readonly name: string;
  /** Over every minute of every forecast, requests per second. */
  readonly minutes: ForecastErrors;
  /** Over the highest of the 15 minutes of every forecast, which decides how much capacity is needed. */
  readonly peaks: ForecastErrors;
}

/** Simple forecasts that a model is compared with. 30 minutes is the length that errs least on the traces at hand. */
const comparedBaselines: Readonly<Record<string, Baseline>> = {
  "last value": lastValue,
  "moving average (30 min)": movingAverage(30),
};

/**
 * Measures a forecaster's errors.
 * @param forecasts one array of 15 rates for each origin.
 */
export function evaluateForecasts(
  name: string,
  series: RateSeries,
  origins: readonly number[],
  forecasts: readonly (readonly number[])[],
): Evaluation {
  const actual = origins.map((origin) => ratesFrom(series, origin));
  const highest = (rates: readonly number[]) => Math.max(...rates);
  return {
    name,
    minutes: measureErrors(actual.flat(), forecasts.flat()),
    peaks: measureErrors(actual.map(highest), forecasts.map(highest)),
  };
}

/** Measures the baselines' errors on these origins. */
export function evaluateBaselines(series: RateSeries, origins: readonly number[]): Evaluation[] {
  return Object.entries(comparedBaselines).map(([name, baseline]) => {
    const forecasts = origins.map((origin) => baseline(windowBefore(series, origin), outputMinutes));
    return evaluateForecasts(name, series, origins, forecasts);
  });
}

/** Converts a network's raw outputs to rates, one array for each origin. */
export function outputsToRates(series: RateSeries, origins: readonly number[], outputs: Float32Array): number[][] {
  return origins.map((origin, row) => {
    const scale = scaleOf(windowBefore(series, origin));
    const own = outputs.subarray(row * outputMinutes, (row + 1) * outputMinutes);
    return Array.from(own, (output) => fromOutput(output, scale));
  });
}
