import { medianOf } from "../anomaly/robust.ts";

/** Whole day of the past. */
export interface SpentDay {
  /** 0: Sunday. */
  readonly weekday: number;
  readonly usd: number;
}

/** Day to come, or what is left of today. */
export interface ComingDay {
  readonly weekday: number;
  /** Part of the day that is to come, 0 to 1. */
  readonly share: number;
  /** Known change of its cost, US$; below 0: what will be saved. */
  readonly plannedUsd: number;
}

export interface SpendForecastInput {
  /** Days before today, the oldest first. */
  readonly past: readonly SpentDay[];
  /** Days to come, the next first. */
  readonly coming: readonly ComingDay[];
}

export interface SpendForecast {
  readonly rule: "no-history" | "few-days" | "level" | "level-and-weekdays";
  readonly expectedUsd: number;
  /** Interval that holds the truth in eight of ten cases; the expected amount itself without history. */
  readonly lowUsd: number;
  readonly highUsd: number;
  /** Cost of a usual day now. */
  readonly dailyUsd: number;
  /** Factors of the days of the week, from Sunday; all 1 where they are not known. */
  readonly weekdays: readonly number[];
}

/** Days that are looked back on. */
const lookback = 120;
const weekDays = 7;
/** Days from which weekdays are told apart: three of each. */
const daysForWeekdays = 21;
/** Whole weeks, so that weekdays cancel out, whose mean may be the level of days to come. */
const levelWeeks = [1, 2, 4, 8] as const;
/** Longest time over which past forecasts are judged. */
const maxJudgedDays = 14;
/** Normal deviations of an interval of 80 %. */
const deviations = 1.2816;
/** Smallest relative error: no fleet costs the same for good; and that of a fleet that is known for less than two weeks. */
const minError = 0.02;
const unknownError = 0.4;

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]) => sumOf(values) / Math.max(1, values.length);

/** Factors of the weekdays: median ratio to the mean of the week around a day, drawn to 1 the more the fewer weeks there are. */
function weekdayFactors(days: readonly SpentDay[]): number[] {
  const ratios = Array.from({ length: weekDays }, (): number[] => []);
  for (let at = 3; at + 3 < days.length; at += 1) {
    const around = meanOf(days.slice(at - 3, at + 4).map(({ usd }) => usd));
    const { weekday, usd } = days[at] as SpentDay;
    if (around > 0) ratios[weekday]?.push(usd / around);
  }
  const drawn = ratios.map((of) => (of.length === 0 ? 1 : (medianOf(of) * of.length + 2) / (of.length + 2)));
  const mean = meanOf(drawn);
  return mean > 0 ? drawn.map((factor) => factor / mean) : drawn.map(() => 1);
}

/** Day of the past with the factor of its weekday. */
interface WeighedDay {
  readonly usd: number;
  readonly factor: number;
}

/** Level of days: their cost by the sum of their factors, so that whole weeks have their own mean. */
const levelOf = (days: readonly WeighedDay[]) =>
  sumOf(days.map(({ usd }) => usd)) / Math.max(Number.MIN_VALUE, sumOf(days.map(({ factor }) => factor)));

/** Level of the newest whole weeks before a day. */
const levelAt = (days: readonly WeighedDay[], end: number, weeks: number) =>
  levelOf(days.slice(Math.max(0, end - weeks * weekDays), end));

/** Relative errors, as logarithms, that a level would have had over so many days, at each day of the past from the second week on. */
function errorsOf(days: readonly WeighedDay[], weeks: number, horizon: number): number[] {
  const errors: number[] = [];
  for (let at = weekDays; at + horizon <= days.length; at += 1) {
    const level = levelAt(days, at, weeks);
    const actual = levelOf(days.slice(at, at + horizon));
    if (level > 0 && actual > 0) errors.push(Math.log(actual / level));
  }
  return errors;
}

/** Spread of errors: the larger of the robust one and the plain one; wider where the times that they are of overlap, so that few are independent. */
function spreadOf(errors: readonly number[], horizon: number): number {
  const robust = 1.4826 * medianOf(errors.map(Math.abs));
  const plain = Math.sqrt(meanOf(errors.map((error) => error * error)));
  const independent = 1 + errors.length / horizon;
  return Math.max(minError, robust, plain) * (1 + 1 / independent);
}

/** Chooses the weeks whose mean was best in the past, with the spread of its errors over `horizon` days. */
function chooseLevel(
  days: readonly WeighedDay[],
  horizon: number,
): { readonly level: number; readonly spread: number } {
  const judged = Math.max(1, Math.min(horizon, maxJudgedDays, Math.floor((days.length - weekDays) / 2)));
  const found = levelWeeks
    .map((weeks) => ({ weeks, errors: errorsOf(days, weeks, judged) }))
    .reduce((best, each) =>
      meanOf(each.errors.map(Math.abs)) < meanOf(best.errors.map(Math.abs)) - 1e-9 ? each : best,
    );
  const level = levelAt(days, days.length, found.weeks);
  // A level that wanders is further off the longer it does.
  const spread = spreadOf(found.errors, judged) * Math.sqrt(Math.max(1, horizon / judged));
  return { level, spread: found.errors.length === 0 ? unknownError : spread };
}

/**
 * Decides what the coming days will cost: the mean of the newest weeks, of as many as were best in the past, times the weekday, and known changes.
 * The interval is as wide as such forecasts were wrong.
 */
export function decideSpendForecast({ past, coming }: SpendForecastInput): SpendForecast {
  const days = past.slice(-lookback);
  const planned = sumOf(coming.map(({ plannedUsd, share }) => plannedUsd * share));
  const none = { weekdays: new Array(weekDays).fill(1) as number[] };
  if (days.length === 0) {
    const usd = Math.max(0, planned);
    return { ...none, rule: "no-history", expectedUsd: usd, lowUsd: usd, highUsd: usd, dailyUsd: 0 };
  }
  const byWeekday = days.length >= daysForWeekdays;
  const weekdays = byWeekday ? weekdayFactors(days) : none.weekdays;
  const factorOf = (weekday: number) => Math.max(0.05, weekdays[weekday] ?? 1);
  const weighed = days.map(({ weekday, usd }) => ({ usd, factor: factorOf(weekday) }));
  const isShort = days.length < 2 * weekDays;
  const horizon = Math.max(1, Math.round(sumOf(coming.map(({ share }) => share))));
  const { level, spread } = isShort
    ? { level: levelOf(weighed.slice(-weekDays)), spread: unknownError }
    : chooseLevel(weighed, horizon);
  const expected = sumOf(coming.map(({ weekday, share }) => level * factorOf(weekday) * share));
  const bounded = (usd: number) => Math.max(0, usd + planned);
  return {
    ...{ rule: isShort ? "few-days" : byWeekday ? "level-and-weekdays" : "level", weekdays, dailyUsd: level },
    expectedUsd: bounded(expected),
    lowUsd: bounded(expected * Math.exp(-deviations * spread)),
    highUsd: bounded(expected * Math.exp(deviations * spread)),
  };
}
