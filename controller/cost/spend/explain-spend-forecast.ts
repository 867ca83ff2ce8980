import type { SpendForecast } from "./decide-spend-forecast.ts";

/** Explains what a forecast of spend rests on. */
export function explainSpendForecast({ rule, dailyUsd }: SpendForecast, days: number): string {
  const level = `a usual day costs ${dailyUsd.toFixed(2)} $ now`;
  switch (rule) {
    case "no-history":
      return "no minute is on record";
    case "first-hours":
      return `${level}, by its first hours; no whole day is on record, so the interval is a guess`;
    case "few-days":
      return `${level}; only ${days} whole ${days === 1 ? "day is" : "days are"} on record, so the interval rests on how fleets usually vary`;
    case "level":
      return `${level}, by ${days} days; three weeks tell the days of the week apart`;
    case "level-and-weekdays":
      return `${level}, by ${days} days and the days of the week`;
  }
}
