import { dayMs } from "#platform/time.ts";
import { type CostHistory, type CostHour, costOf } from "../history/cost-history.ts";
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
import { type Money, moneyToNumber, sumOf } from "../money/money.ts";
import { type CostAnomaly, decideCostAnomaly } from "./decide-cost-anomaly.ts";
import type { DayOfCost, HourOfCost } from "./expected-cost.ts";
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
/** Maximum parts of a dimension that are judged, the most expensive ones. */
const maxParts = 50;

type Dimension = CostDimension | "fleet";

interface Sum extends HourOfCost {
  readonly cost: Money;
}

/** Sums of an hour by the values of each dimension (null: idle), or of all under an empty name for "fleet". */
type HourSums = Readonly<Record<Dimension, ReadonlyMap<string | null, Sum>>>;

/** Sums of hours that are kept in memory, of which the same are read each minute. They are smaller than the hours. */
const knownSums = new WeakMap<CostHour, HourSums>();

function sumsOfHour(hour: CostHour): HourSums {
  const known = knownSums.get(hour);
  if (known !== undefined) return known;
  const sumsBy = (dimension: Dimension) => {
    const sums = new Map<string | null, { cost: Money; requests: number }>();
    for (const cell of hour.cells) {
      const value = dimension === "fleet" ? "" : valueIn(cell, dimension);
      const sum = sums.get(value) ?? { cost: 0n, requests: 0 };
      sums.set(value, sum);
      sum.cost += costOf(cell);
      sum.requests += cell.requests;
    }
    return new Map([...sums].map(([value, sum]) => [value, { ...sum, costUsd: moneyToNumber(sum.cost) }]));
  };
  const made: HourSums = {
    ...{ fleet: sumsBy("fleet"), region: sumsBy("region"), tenant: sumsBy("tenant"), model: sumsBy("model") },
    agent: sumsBy("agent"),
  };
  knownSums.set(hour, made);
  return made;
}

/** Cost of a day by the values of a dimension. */
function costsOfDay({ hours }: CostDay, dimension: Dimension): Map<string | null, Money> {
  const costs = new Map<string | null, Money>();
  for (const hour of hours)
    for (const [value, { cost }] of sumsOfHour(hour)[dimension]) costs.set(value, (costs.get(value) ?? 0n) + cost);
  return costs;
}

const nothing: Sum = { cost: 0n, costUsd: 0, requests: 0 };

/** Days of a value of a dimension, with their hours. */
function daysOfCost(days: readonly CostDay[], dimension: Dimension, value: string | null): DayOfCost[] {
  return days.map(({ hours: all }) => {
    const hours = all.map((hour) => sumsOfHour(hour)[dimension].get(value) ?? nothing);
    return {
      costUsd: moneyToNumber(sumOf(hours.map(({ cost }) => cost))),
      requests: hours.reduce((sum, { requests }) => sum + requests, 0),
      hours,
    };
  });
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
async function judgeDay(days: readonly CostDay[], terms: AnomalyTerms): Promise<JudgedDay[]> {
  const last = days.at(-1);
  if (last === undefined || !last.hours.some(({ cells }) => cells.length > 0)) return [];
  const { startMs: dayStartMs } = last.window;
  const day = { dayStartMs, date: dateOf(dayStartMs, terms.timeZone) };
  const judge = (dimension: Dimension, name: string | null) =>
    decideCostAnomaly({ ...terms, days: daysOfCost(days, dimension, name) });
  const fleet = judge("fleet", "");
  const parts = [];
  for (const dimension of costDimensions) {
    const dearest = [...costsOfDay(last, dimension)]
      .sort(([, a], [, b]) => (b > a ? 1 : b < a ? -1 : 0))
      .slice(0, maxParts);
    for (const [name] of dearest) {
      const anomaly = judge(dimension, name);
      const mover = { dimension, name, excessUsd: anomaly.costUsd - anomaly.expectedUsd };
      parts.push({ dimension, name, anomaly, mover });
    }
    // Others get a turn between two dimensions.
    await Bun.sleep(0);
  }
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
    judged.push(...(await judgeDay([...before, days[index] as CostDay], terms)));
  }
  return judged;
}
