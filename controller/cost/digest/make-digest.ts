import { dayMs } from "#platform/time.ts";
import type { AnomalyTerms } from "../anomaly/find-anomalies.ts";
import { findAnomalies } from "../anomaly/find-anomalies.ts";
import type { CostHistory } from "../history/cost-history.ts";
import { costDimensions, dateOf, daysOf, periodAt, spentBy, spentOf } from "../history/sum-costs.ts";
import { moneyToNumber } from "../money/money.ts";
import { explainSaving } from "../savings/explain-savings.ts";
import type { Saving } from "../savings/saving.ts";
import { forecastSpend, type MonthlySpend, type SpendTerms } from "../spend/forecast-spend.ts";

/** Part of the fleet whose cost of a day differs from its usual one. */
export interface DayMover {
  readonly dimension: string;
  /** Null: idle time. */
  readonly name: string | null;
  readonly usd: number;
  readonly usualUsd: number;
}

/** Costs of a day for people. */
export interface Digest {
  readonly dayStartMs: number;
  /** Its date by the local calendar. */
  readonly date: string;
  readonly usd: number;
  /** Mean of the seven days before that are on record; null: there is none. */
  readonly usualUsd: number | null;
  readonly movers: readonly DayMover[];
  readonly anomaly: string | null;
  readonly forecast: MonthlySpend;
  readonly advice: string | null;
  readonly text: string;
}

const fleet = { kind: "fleet", name: null } as const;
const maxMovers = 3;
const usd = (amount: number) => `${amount.toFixed(2)} $`;
const change = (now: number, usual: number) =>
  usual > 0 ? ` (${now >= usual ? "+" : "−"}${Math.abs(100 * (now / usual - 1)).toFixed(0)} %)` : "";
const nameOf = ({ dimension, name }: DayMover) =>
  name === null ? "idle time" : `${dimension} ${name === "" ? "(none)" : name}`;

const intervalOf = ({ lowUsd, highUsd }: MonthlySpend["total"]) =>
  lowUsd === null || highUsd === null ? "" : ` (${usd(lowUsd)} to ${usd(highUsd)} with 80 %)`;

function textOf({ date, usd: spent, usualUsd, movers, anomaly, forecast, advice }: Omit<Digest, "text">): string {
  const { month, total, spentUsd, next } = forecast;
  const usual =
    usualUsd === null
      ? "no days before it are on record"
      : `${usd(usualUsd)} a day in the week before${change(spent, usualUsd)}`;
  return [
    `${date}: ${usd(spent)}, ${usual}`,
    ...movers.map((mover) => `  ${nameOf(mover)}: ${usd(mover.usd)}${change(mover.usd, mover.usualUsd)}`),
    ...(anomaly === null ? [] : [`Unusual: ${anomaly}`]),
    `${month}: ${usd(spentUsd)} so far, ${usd(total.expectedUsd)} by its end${intervalOf(total)}; ${next.month}: ${usd(next.expectedUsd)}`,
    ...(advice === null ? [] : [`Advice: ${advice}`]),
  ].join("\n");
}

/** Makes the digest of yesterday: its cost beside the week, what moved, the forecast of the month, one piece of advice. */
export async function makeDigest(
  history: CostHistory,
  terms: SpendTerms & AnomalyTerms,
  savings: () => Promise<readonly Saving[]>,
): Promise<Digest> {
  const { nowMs, timeZone } = terms;
  const today = periodAt("daily", nowMs, timeZone);
  const yesterday = periodAt("daily", today.startMs - dayMs / 2, timeZone);
  const days = daysOf(await history.hours(yesterday.startMs - 7 * dayMs, today.startMs), timeZone);
  const last = days.filter(({ window }) => window.startMs === yesterday.startMs).flatMap(({ hours }) => hours);
  const before = days.filter(({ window }) => window.startMs < yesterday.startMs);
  const hoursBefore = before.flatMap(({ hours }) => hours);
  const perDay = (amount: bigint) => moneyToNumber(amount) / Math.max(1, before.length);
  const movers = costDimensions
    .flatMap((dimension) => {
      const then = spentBy(hoursBefore, dimension);
      const now = spentBy(last, dimension);
      return [...new Set([...then.keys(), ...now.keys()])].map((name) => ({
        ...{ dimension, name, usd: moneyToNumber(now.get(name) ?? 0n), usualUsd: perDay(then.get(name) ?? 0n) },
      }));
    })
    .filter(({ name, dimension }) => name !== null || dimension === "tenant")
    .sort((a, b) => Math.abs(b.usd - b.usualUsd) - Math.abs(a.usd - a.usualUsd))
    .slice(0, before.length === 0 ? 0 : maxMovers);
  const [judged] = await findAnomalies(history, { startMs: yesterday.startMs, endMs: today.startMs, nowMs }, terms);
  const [best] = await savings();
  const digest = {
    ...{ dayStartMs: yesterday.startMs, date: dateOf(yesterday.startMs, timeZone) },
    ...{ usd: moneyToNumber(spentOf(last, fleet)), movers },
    usualUsd: before.length === 0 ? null : perDay(spentOf(hoursBefore, fleet)),
    anomaly: judged?.isAnomaly === true ? judged.reason : null,
    forecast: await forecastSpend(history, terms),
    advice: best === undefined ? null : explainSaving(best),
  };
  return { ...digest, text: textOf(digest) };
}
