import type { ForecastDrift } from "./decide-drift.ts";

const percent = (value: number | null) => (value === null ? "unknown" : `${value.toFixed(1)} %`);

/** Explains if the forecast still fits the traffic. */
export function explainDrift({ rule, dayWapePercent, weekWapePercent, dayCoverage }: ForecastDrift): string {
  const error = `the error of the last day is ${percent(dayWapePercent)}, of the week ${percent(weekWapePercent)}`;
  const within =
    dayCoverage === null ? "" : `; ${(100 * dayCoverage).toFixed(0)} % of the peaks were within their 0.95 quantile`;
  switch (rule) {
    case "unknown":
      return "too few forecasts of the last day have been judged yet";
    case "steady":
      return `${error}${within}`;
    case "error":
      return `the forecast no longer fits the traffic: ${error}`;
    case "interval":
      return `too many peaks exceed their 0.95 quantile${within}; ${error}`;
    default:
      return rule satisfies never;
  }
}
