import type { ForecastOutcome } from "./decide-forecast-outcome.ts";

/** @param levelQps texts per second before the forecast. */
export function explainForecastOutcome(outcome: ForecastOutcome, levelQps: number): string {
  const [forecast, actual, level, threshold] = [
    outcome.peakForecastQps,
    outcome.peakActualQps,
    levelQps,
    outcome.riseQps,
  ].map((qps) => qps.toFixed(2));
  return `${outcome.rise}: peak ${forecast} forecast, ${actual} actual; from ${level}, a rise begins at ${threshold} texts/s`;
}
