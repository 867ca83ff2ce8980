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

/** Hours since the first record, of a fleet without a whole day on record. */
export interface FirstHours {
  readonly usd: number;
  readonly hours: number;
}

export interface SpendForecastInput {
  /** Days before today, oldest first. */
  readonly past: readonly SpentDay[];
  /** Counts without any whole day. Default: nothing is on record. */
  readonly firstHours?: FirstHours | null;
  /** Days to come, the next first. */
  readonly coming: readonly ComingDay[];
  /** Days between the past and these. Default: 0. */
  readonly leadDays?: number;
}

export interface SpendForecast {
  readonly rule: "no-history" | "first-hours" | "few-days" | "level" | "level-and-weekdays";
  readonly expectedUsd: number;
  /** Interval that holds the truth in eight of ten cases; null without history. */
  readonly lowUsd: number | null;
  readonly highUsd: number | null;
  /** Cost of a usual day now. */
  readonly dailyUsd: number;
  /** Factors of the days of the week, from Sunday; all 1 where they are unknown. */
  readonly weekdays: readonly number[];
}

/** Days that are looked back on. */
const lookback = 120;
const weekDays = 7;
/** Days from which weekdays are distinguished: three of each. */
const daysForWeekdays = 21;
/** Whole weeks, so that weekdays cancel out, whose mean may be the level of days to come. */
const levelWeeks = [1, 2, 4, 8] as const;
/**
 * Spread of a forecast of one day, as a logarithm, before any is judged (its own uncertainty is e to either side), and the power of the days ahead
 * by which it grows.
 */
const usualError = 0.3;
const usualGrowth = 0.25;
/**
 * Power by which errors grow from the days that were judged to those that are asked for. Errors of single days are noise that the sum of many is
 * free of; those of weeks tell how the level wanders.
 */
const growthFrom = (days: number) => 0.1 + 0.4 * Math.min(1, (days - 1) / 6);
/** Spread by which hours of a day differ from its mean, and days of a week from its mean, before they are seen. */
const usualHourError = 0.7;
const usualWeekdayError = 0.2;
/** Degrees of freedom of an interval at most: days to come may differ from all that were seen. */
const maxFreedom = 3;
/** Smallest spread: no fleet costs the same for good. */
const minError = 0.02;

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]) => sumOf(values) / Math.max(1, values.length);

const rootMeanSquare = (values: readonly number[]) => Math.sqrt(meanOf(values.map((value) => value * value)));

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

/** Days to come as they are judged in the past: so many days after a lead. */
interface Stretch {
  readonly leadDays: number;
  readonly days: number;
}

const reachOf = ({ leadDays, days }: Stretch) => leadDays + days;

/** Shortens a stretch, so that the past holds at least two of its kind after the day from which levels are judged. */
function judgedStretch(of: Stretch, judgedDays: number): Stretch {
  const part = Math.min(1, Math.max(1, Math.floor(judgedDays / 2)) / reachOf(of));
  const leadDays = Math.floor(of.leadDays * part);
  return { leadDays, days: Math.max(1, Math.floor(reachOf(of) * part) - leadDays) };
}

/** Relative errors, as logarithms, that a level would have had over such a stretch, at each day of the past from `first` on. */
function errorsOf(days: readonly WeighedDay[], weeks: number, first: number, stretch: Stretch): number[] {
  const errors: number[] = [];
  // A day without any cost is far off, and not infinitely so.
  const little = levelOf(days) / 100;
  for (let at = first; at + reachOf(stretch) <= days.length; at += 1) {
    const level = levelAt(days, at, weeks);
    const begin = at + stretch.leadDays;
    const actual = levelOf(days.slice(begin, begin + stretch.days));
    if (little > 0) errors.push(Math.log((actual + little) / (level + little)));
  }
  return errors;
}

/** Level that was best in the past, with its errors over a stretch as long as can be judged. */
interface ChosenLevel {
  readonly level: number;
  readonly errors: readonly number[];
  readonly judged: Stretch;
}

/** Quantile of 90 % of Student's distribution, from two degrees of freedom on (within 1 %), by Cornish and Fisher. */
function studentQuantile(freedom: number): number {
  const z = 1.2816;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, index) => sum + term / freedom ** (index + 1), z);
}

/** Spread by what was not seen yet: hours of the day, days of the week. */
function unseenError(days: number, hours: number): number {
  const unseenHours = days > 0 ? 0 : 1 - Math.min(1, hours / 24);
  const unseenDays = 1 - Math.min(1, days / weekDays);
  return Math.hypot(usualHourError * unseenHours, usualWeekdayError * unseenDays);
}

/**
 * Half width, as a logarithm, of an interval of 80 %: the spread of past errors, drawn to the usual one the more the fewer of them are
 * independent (their times overlap), times the quantile of so few. The newest errors count alone where they are the larger ones: a calm past
 * says little of a time that is not.
 */
function halfWidthOf({ errors, judged }: Omit<ChosenLevel, "level">, asked: Stretch, unseen: number): number {
  const independent = errors.length === 0 ? 0 : 1 + (errors.length - 1) / reachOf(judged);
  const usual = usualError * reachOf(asked) ** usualGrowth;
  const seen = Math.max(minError, rootMeanSquare(errors), rootMeanSquare(errors.slice(-weekDays - reachOf(judged))));
  const weight = independent / (independent + 0.5);
  const ahead = (reachOf(asked) / reachOf(judged)) ** growthFrom(reachOf(judged));
  const spread = (seen * ahead) ** weight * usual ** (1 - weight);
  return Math.hypot(spread, unseen) * studentQuantile(Math.min(maxFreedom, independent + 2));
}

/** Chooses the weeks whose mean was best in the past. */
function chooseLevel(days: readonly WeighedDay[], asked: Stretch): ChosenLevel {
  const first = Math.min(weekDays, Math.max(1, days.length >> 1));
  const judged = judgedStretch(asked, days.length - first);
  const found = levelWeeks
    .map((weeks) => ({ weeks, errors: errorsOf(days, weeks, first, judged) }))
    .reduce((best, each) =>
      meanOf(each.errors.map(Math.abs)) < meanOf(best.errors.map(Math.abs)) - 1e-9 ? each : best,
    );
  return { level: levelAt(days, days.length, found.weeks), errors: found.errors, judged };
}

/**
 * Decides what the coming days will cost: the mean of the newest weeks, of as many as were best in the past, times the weekday, and known changes.
 * The interval is as wide as such forecasts were wrong.
 */
export function decideSpendForecast({
  past,
  firstHours = null,
  coming,
  leadDays = 0,
}: SpendForecastInput): SpendForecast {
  const days = past.slice(-lookback);
  const planned = sumOf(coming.map(({ plannedUsd, share }) => plannedUsd * share));
  const isShort = days.length < 2 * weekDays;
  const byWeekday = days.length >= daysForWeekdays;
  const weekdays = byWeekday ? weekdayFactors(days) : (new Array(weekDays).fill(1) as number[]);
  if (days.length === 0 && !firstHours) {
    const expectedUsd = Math.max(0, planned);
    return { weekdays, rule: "no-history", expectedUsd, lowUsd: null, highUsd: null, dailyUsd: 0 };
  }
  const factorOf = (weekday: number) => Math.max(0.05, weekdays[weekday] ?? 1);
  const weighed = days.map(({ weekday, usd }) => ({ usd, factor: factorOf(weekday) }));
  const horizon = Math.max(1, Math.round(sumOf(coming.map(({ share }) => share))));
  const asked = { leadDays: Math.round(leadDays), days: horizon };
  const chosen =
    days.length === 0 && firstHours
      ? { level: (firstHours.usd * 24) / firstHours.hours, errors: [], judged: { leadDays: 0, days: 1 } }
      : chooseLevel(weighed, asked);
  const width = halfWidthOf(chosen, asked, unseenError(days.length, firstHours?.hours ?? 24));
  const expected = sumOf(coming.map(({ weekday, share }) => chosen.level * factorOf(weekday) * share));
  const bounded = (usd: number) => Math.max(0, usd + planned);
  return {
    rule: days.length === 0 ? "first-hours" : isShort ? "few-days" : byWeekday ? "level-and-weekdays" : "level",
    ...{ weekdays, dailyUsd: chosen.level, expectedUsd: bounded(expected) },
    lowUsd: bounded(expected * Math.exp(-width)),
    highUsd: bounded(expected * Math.exp(width)),
  };
}
