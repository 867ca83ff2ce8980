import { dayMs } from "#platform/time.ts";
import { type CostCell, type CostHistory, costOf } from "../history/cost-history.ts";
import {
  type CostDay,
  type CostDimension,
  costDimensions,
  dateOf,
  daysOf,
  periodAt,
  valueIn,
  wholeDaysOf,
} from "../history/sum-costs.ts";
import { type Money, moneyToNumber } from "../money/money.ts";
import { type CostAnomaly, decideCostAnomaly } from "./decide-cost-anomaly.ts";
import type { DayOfCost } from "./expected-cost.ts";
import { explainCostAnomaly, type Mover } from "./explain-cost-anomaly.ts";

/** Judgement of a day of the fleet or of a part of it. */
export interface JudgedDay extends CostAnomaly {
  readonly dayStartMs: number;
  /** Its date by the local calendar. */
  readonly date: string;
  readonly scope: { readonly kind: "fleet" | CostDimension; readonly name: string | null };
  readonly movers: readonly Mover[];
  readonly reason: string;
}

export interface AnomalyTerms {
  readonly threshold: number;
  readonly minUsd: number;
  readonly timeZone: string;
}

/** Days before a judged one that are read. */
const readDays = 28;
/** Max parts of a dimension that are judged, the dearest ones. */
const maxParts = 50;

interface Sum {
  cost: Money;
  requests: number;
}

/** Key of all of the fleet among the values of a dimension. */
const keyIn = (cell: CostCell, dimension: CostDimension | "fleet") =>
  dimension === "fleet" ? "" : valueIn(cell, dimension);

/** Sums of each day by the values of a dimension (null key: idle), or of all for "fleet". */
function sumsOf(days: readonly CostDay[], dimension: CostDimension | "fleet"): Map<string | null, Sum[]> {
  const sums = new Map<string | null, Sum[]>();
  for (const [index, { hours }] of days.entries())
    for (const { cells } of hours)
      for (const cell of cells) {
        const value = keyIn(cell, dimension);
        let known = sums.get(value);
        if (known === undefined) {
          known = days.map(() => ({ cost: 0n, requests: 0 }));
          sums.set(value, known);
        }
        const sum = known[index] as Sum;
        sum.cost += costOf(cell);
        sum.requests += cell.requests;
      }
  return sums;
}

/** Days of some values of a dimension, with their hours. */
function daysOfCost(
  days: readonly CostDay[],
  dimension: CostDimension | "fleet",
  sums: ReadonlyMap<string | null, readonly Sum[]>,
): Map<string | null, DayOfCost[]> {
  const found = new Map(
    [...sums].map(([value, of]) => {
      const hoursOf = (index: number) => days[index]?.hours.map(() => ({ costUsd: 0, requests: 0 })) ?? [];
      const each = of.map(({ cost, requests }, index) => ({
        ...{ costUsd: moneyToNumber(cost), requests, hours: hoursOf(index) },
      }));
      return [value, each] as const;
    }),
  );
  for (const [index, { hours }] of days.entries())
    for (const [place, { cells }] of hours.entries())
      for (const cell of cells) {
        const hour = found.get(keyIn(cell, dimension))?.[index]?.hours[place];
        if (hour === undefined) continue;
        hour.costUsd += moneyToNumber(costOf(cell));
        hour.requests += cell.requests;
      }
  return found;
}

/** Part of each dimension that makes up most of a difference, if it is a fifth of it; the largest first. */
function moversOf(parts: readonly { readonly mover: Mover }[], excessUsd: number): Mover[] {
  const found = parts
    .map(({ mover }) => mover)
    .filter((mover) => mover.excessUsd > excessUsd * 0.2)
    .sort((a, b) => b.excessUsd - a.excessUsd);
  return found.filter(({ dimension }, index) => found.findIndex((each) => each.dimension === dimension) === index);
}

/** Judges one day of the fleet and of its regions, tenants, models and agents by the days before it. Empty without records of that day. */
function judgeDay(days: readonly CostDay[], terms: AnomalyTerms): JudgedDay[] {
  const dayStartMs = days.at(-1)?.window.startMs;
  const ofFleet = daysOfCost(days, "fleet", sumsOf(days, "fleet")).get("");
  if (dayStartMs === undefined || ofFleet === undefined) return [];
  const day = { dayStartMs, date: dateOf(dayStartMs, terms.timeZone) };
  const judge = (of: readonly DayOfCost[]) => decideCostAnomaly({ ...terms, days: of });
  const fleet = judge(ofFleet);
  const parts = costDimensions.flatMap((dimension) => {
    const dearest = [...sumsOf(days, dimension)]
      .sort(([, a], [, b]) => moneyToNumber((b.at(-1) as Sum).cost) - moneyToNumber((a.at(-1) as Sum).cost))
      .slice(0, maxParts);
    return [...daysOfCost(days, dimension, new Map(dearest))].map(([name, of]) => {
      const anomaly = judge(of);
      return { dimension, name, anomaly, mover: { dimension, name, excessUsd: anomaly.costUsd - anomaly.expectedUsd } };
    });
  });
  const movers = fleet.isAnomaly ? moversOf(parts, fleet.costUsd - fleet.expectedUsd) : [];
  return [
    {
      ...{ ...fleet, ...day, scope: { kind: "fleet" as const, name: null }, movers },
      reason: explainCostAnomaly(fleet, movers),
    },
    ...parts
      // Idle time has no requests, and is the fleet's.
      .filter(({ name }) => name !== null)
      .map(({ dimension, name, anomaly }) => ({
        ...{ ...anomaly, ...day, scope: { kind: dimension, name }, movers: [] },
        reason: explainCostAnomaly(anomaly, []),
      })),
  ];
}

/** Judges the whole days that begin in [startMs, endMs), and have ended, by the days before them. */
export async function findAnomalies(
  history: CostHistory,
  { startMs, endMs, nowMs }: { readonly startMs: number; readonly endMs: number; readonly nowMs: number },
  terms: AnomalyTerms,
): Promise<JudgedDay[]> {
  const today = periodAt("daily", nowMs, terms.timeZone);
  const lastMs = Math.min(endMs, today.startMs);
  const hours = await history.hours(startMs - (readDays + 1) * dayMs, lastMs);
  const days = daysOf(hours, terms.timeZone);
  const judged: JudgedDay[] = [];
  for (const [index, { window }] of days.entries()) {
    if (window.startMs < startMs || window.startMs >= lastMs) continue;
    const before = wholeDaysOf(days.slice(Math.max(0, index - readDays), index));
    judged.push(...judgeDay([...before, days[index] as CostDay], terms));
    // Others get a turn between two days.
    await Bun.sleep(0);
  }
  return judged;
}
