import { calendarTimeMs } from "#platform/parse-time.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import type { CostConfig } from "../cost-config.ts";
import type { CostHistory } from "../history/cost-history.ts";
import { type CostDay, dateOf, daysOf, hoursOnRecord, monthOf, periodAt, spentOf } from "../history/sum-costs.ts";
import { moneyToNumber } from "../money/money.ts";
import { type ComingDay, decideSpendForecast, type SpendForecast } from "./decide-spend-forecast.ts";
import { explainSpendForecast } from "./explain-spend-forecast.ts";

export interface AmountRange {
  readonly expectedUsd: number;
  /** Null: nothing is on record that tells it. */
  readonly lowUsd: number | null;
  readonly highUsd: number | null;
}

export interface MonthlySpend {
  readonly month: string;
  readonly spentUsd: number;
  /** Part of the month that is to come, and all of it. */
  readonly rest: AmountRange;
  readonly total: AmountRange;
  readonly next: AmountRange & { readonly month: string };
  readonly dailyUsd: number;
  readonly days: number;
  readonly reason: string;
}

export interface SpendTerms {
  readonly nowMs: number;
  readonly timeZone: string;
  readonly planned: CostConfig["planned"];
}

const fleet = { kind: "fleet", name: null } as const;
const lookbackDays = 120;
/** Hours of a first day below which it is left out: the fleet began within it. */
const wholeDayHours = 20;

const dayOf = (text: string) => calendarTimeMs(...text.split("-").map(Number)) ?? Number.NaN;

/** Known changes of a day's cost, by its date. */
function plannedOn(date: string, planned: CostConfig["planned"]): number {
  const at = dayOf(date);
  return planned
    .filter(({ from, until }) => dayOf(from) <= at && (until === null || at < dayOf(until)))
    .reduce((sum, { usdPerDay }) => sum + usdPerDay, 0);
}

/** Local day of a moment: its date, its weekday and where it begins and ends. */
function localDayOf(timeMs: number, timeZone: string) {
  const { startMs, endMs } = periodAt("daily", timeMs, timeZone);
  const date = dateOf(timeMs, timeZone);
  return { date, weekday: new Date(dayOf(date)).getUTCDay(), startMs, endMs };
}

/** Days from now to a moment, the first one in part. */
function comingDays(fromMs: number, toMs: number, { timeZone, planned }: SpendTerms): ComingDay[] {
  const days: ComingDay[] = [];
  for (let at = fromMs; at < toMs; ) {
    const { date, weekday, startMs, endMs } = localDayOf(at, timeZone);
    days.push({ weekday, share: (endMs - at) / (endMs - startMs), plannedUsd: plannedOn(date, planned) });
    at = endMs;
  }
  return days;
}

const rangeOf = ({ expectedUsd, lowUsd, highUsd }: SpendForecast): AmountRange => ({ expectedUsd, lowUsd, highUsd });

function wholeDays(days: readonly CostDay[]): readonly CostDay[] {
  const [first] = days;
  return first !== undefined && first.hours.length < wholeDayHours ? days.slice(1) : days;
}

/** Forecasts what the rest of the present month and the next month will cost, from the days on record and known changes. */
export async function forecastSpend(history: CostHistory, terms: SpendTerms): Promise<MonthlySpend> {
  const { nowMs, timeZone } = terms;
  const today = periodAt("daily", nowMs, timeZone);
  const month = monthOf(nowMs, timeZone);
  const next = monthOf(month.endMs + 12 * hourMs, timeZone);
  const days = wholeDays(daysOf(await history.hours(today.startMs - lookbackDays * dayMs, today.startMs), timeZone));
  const past = days.map(({ window, hours }) => {
    const { date, weekday } = localDayOf(window.startMs, timeZone);
    // What was planned is no part of the usual level.
    return { weekday, usd: Math.max(0, moneyToNumber(spentOf(hours, fleet)) - plannedOn(date, terms.planned)) };
  });
  const ofMonth = await history.hours(month.startMs, month.endMs);
  const recent = past.length > 0 ? [] : await history.hours(nowMs - dayMs, nowMs);
  const hours = hoursOnRecord(recent, nowMs);
  const firstHours = hours === 0 ? null : { usd: moneyToNumber(spentOf(recent, fleet)), hours };
  // Days since the newest one on record are known as little as those to come.
  const sinceDays = (today.startMs - (days.at(-1)?.window.endMs ?? today.startMs)) / dayMs;
  const forecast = (startMs: number, endMs: number) =>
    decideSpendForecast({
      ...{ past, firstHours, coming: comingDays(startMs, endMs, terms) },
      leadDays: sinceDays + (startMs - nowMs) / dayMs,
    });
  const rest = forecast(nowMs, month.endMs);
  const spentUsd = moneyToNumber(spentOf(ofMonth, fleet));
  const withSpent = (usd: number | null) => (usd === null ? null : spentUsd + usd);
  return {
    ...{ month: month.month, spentUsd, rest: rangeOf(rest), dailyUsd: rest.dailyUsd, days: past.length },
    total: {
      expectedUsd: spentUsd + rest.expectedUsd,
      ...{ lowUsd: withSpent(rest.lowUsd), highUsd: withSpent(rest.highUsd) },
    },
    next: { month: next.month, ...rangeOf(forecast(next.startMs, next.endMs)) },
    reason: explainSpendForecast(rest, past.length),
  };
}
