import type { ForecastAccuracy } from "#protocol/messages.ts";

/** Finding about a day of forecasts beside a week's, by the terms of the alert on drift. */
export interface ForecastDrift {
  /** unknown: too few forecasts are judged; error: much larger than usual; interval: too many peaks above their 0.95 quantile. */
  readonly rule: "unknown" | "steady" | "error" | "interval";
  readonly dayWapePercent: number | null;
  readonly weekWapePercent: number | null;
  readonly dayCoverage: number | null;
}

/** Minimum forecasts of a day for a verdict: an hour of them. */
const minForecasts = 60;
/** Error of a day, percent, that counts as drift where it is this many times the week's. */
const largeErrorPercent = 30;
const timesUsual = 1.5;
const minCoverage = 0.85;

/** Decides if the forecast no longer fits the traffic. */
export function decideDrift(day: ForecastAccuracy, week: ForecastAccuracy): ForecastDrift {
  const { wapePercent: dayWapePercent, coverage95: dayCoverage } = day;
  const weekWapePercent = week.wapePercent;
  const of = { dayWapePercent, weekWapePercent, dayCoverage };
  if (day.forecasts < minForecasts || dayWapePercent === null) return { rule: "unknown", ...of };
  if (dayWapePercent > largeErrorPercent && weekWapePercent !== null && dayWapePercent > timesUsual * weekWapePercent)
    return { rule: "error", ...of };
  return { rule: dayCoverage !== null && dayCoverage < minCoverage ? "interval" : "steady", ...of };
}
