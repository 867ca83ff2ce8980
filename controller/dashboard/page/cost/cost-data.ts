import type { CostViewAnswer } from "#controller/api/finance/cost-view-routes.ts";
import type { BudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import type { Saving } from "#controller/cost/savings/saving.ts";
import type { MonthlySpend } from "#controller/cost/spend/forecast-spend.ts";
import type { ChartColor, ChartData, ChartSeries } from "#platform/page/chart-parts.tsx";
import { formatMoney } from "#platform/page/format.ts";
import type { StatusKind } from "#platform/page/status-word.tsx";
import { calendarTimeMs } from "#platform/parse-time.ts";

export type View = CostViewAnswer;
export type Group = View["groups"][number];
export type { BudgetState, MonthlySpend };
export type ShownSaving = Saving & { readonly reason: string };

export const dimensions = ["tenant", "model", "region", "agent"] as const;
export type Dimension = (typeof dimensions)[number];
export const dimensionWords: Readonly<Record<Dimension, string>> = {
  ...{ tenant: "tenant", model: "model", region: "region", agent: "device" },
};

export const windowButtons = ["today", "7d", "30d"] as const;
const dayMs = 86_400_000;

/** View of costs that an address holds. */
export interface CostState {
  /** Window as the API takes it. */
  readonly window: string;
  /** Days of a window of one's own, as 2026-11-30; null: another window. */
  readonly custom: { readonly from: string; readonly until: string } | null;
  readonly by: Dimension;
  readonly filters: readonly { readonly of: Dimension; readonly name: string }[];
  readonly hidesIdle: boolean;
}

/** Start of a day in UTC, of a text such as 2026-11-30; null for any other. */
function dayStartMs(text: string | null): number | null {
  const [, year, month, day] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text ?? "") ?? [];
  return day === undefined ? null : calendarTimeMs(Number(year), Number(month), Number(day));
}

/** Reads the view of an address. What can't be is left out, so that a link that was cut still shows costs. */
export function stateOf(query: URLSearchParams): CostState {
  const [from, until] = [query.get("from"), query.get("until")];
  const [fromMs, lastMs] = [dayStartMs(from), dayStartMs(until)];
  const custom =
    fromMs !== null && lastMs !== null && fromMs <= lastMs ? { from: String(from), until: String(until) } : null;
  const window = windowButtons.find((each) => each === query.get("window")) ?? "7d";
  return {
    custom,
    // Days are those of UTC, as the API's own windows of days are; the last one is whole.
    window: custom === null ? window : `${fromMs},${(lastMs ?? 0) + dayMs}`,
    by: dimensions.find((each) => each === query.get("by")) ?? "tenant",
    filters: dimensions.flatMap((of) =>
      query
        .getAll(of)
        .filter((name) => name !== "")
        .map((name) => ({ of, name })),
    ),
    hidesIdle: query.get("idle") === "hidden",
  };
}

/** Filter in the API's words; a quote can be in no name of it and is left out. */
export const filterText = (filters: CostState["filters"]): string =>
  filters.map(({ of, name }) => `${of}:"${name.replaceAll('"', "")}"`).join("+");

/** Number of groups that have a colour of their own. */
export const topGroups = 6;

/** Address of the figures of a view. */
export function viewPath({ window, by, filters }: CostState, format: "json" | "csv" = "json"): string {
  const query = new URLSearchParams({ window, by, top: String(format === "csv" ? 100 : topGroups) });
  const filter = filterText(filters);
  if (filter !== "") query.set("filter", filter);
  if (format === "csv") query.set("format", "csv");
  // A space is written so that every parser of queries reads it.
  return `/api/v1/cost/view?${String(query).replaceAll("+", "%20")}`;
}

/** Next dimension, when one goes into a group of this one. */
export const nextDimension: Readonly<Record<Dimension, Dimension>> = {
  ...{ region: "agent", agent: "tenant", tenant: "model", model: "tenant" },
};

/** Without the fifth, which in the dark is much like the first. */
const colors: readonly ChartColor[] = ["--c1", "--c2", "--c3", "--c4", "--c6", "--c7"];

/** Name of a group as people read it. */
export function groupName({ kind, name }: Pick<Group, "kind" | "name">, others: number): string {
  if (kind === "idle") return "idle";
  if (kind === "other") return `${others} others`;
  return name === "" ? "(none)" : name;
}

const periodMs = { daily: dayMs, weekly: 7 * dayMs, monthly: (365.25 / 12) * dayMs } as const;

/** Budget of the whole fleet for a step; null: there is none. Of several the one that allows least counts. */
export function budgetOfStep(budgets: readonly BudgetState[], stepMs: number): number | null {
  const amounts = budgets
    .filter(({ budget }) => budget.scope.kind === "fleet")
    .map(({ budget }) => (budget.amountUsd * stepMs) / periodMs[budget.period]);
  return amounts.length === 0 ? null : Math.min(...amounts);
}

/** Bars by step, the dearest group at the foot, idle on top; and the budget's line. */
export function stackOf(view: View, hidesIdle: boolean, budgetUsd: number | null): ChartData {
  const { groups, stepStarts, others, window } = view;
  const shown = groups.filter(({ kind }) => !(hidesIdle && kind === "idle"));
  // The line goes on to the end of the last bar.
  const end = budgetUsd === null ? [] : [window.endMs];
  const bars = shown.map((group, place): ChartSeries => {
    const color = group.kind === "idle" ? "--c-idle" : group.kind === "other" ? "--c-other" : colors[place];
    const values = [...group.steps, ...end.map(() => null)];
    return { label: groupName(group, others), values, color: color ?? "--c7", kind: "bars" };
  });
  const times = [...stepStarts, ...end];
  const line: ChartSeries[] =
    budgetUsd === null
      ? []
      : [{ label: "budget", values: times.map(() => budgetUsd), color: "--c-limit", isDashed: true }];
  return { times, series: [...bars, ...line] };
}

/** Interval of a projection in words. */
export function intervalText({ lowUsd, highUsd }: Pick<MonthlySpend["rest"], "lowUsd" | "highUsd">): string {
  if (lowUsd === null || highUsd === null) return "nothing on record tells how sure";
  const [low, high] = [formatMoney(lowUsd).value, formatMoney(highUsd).value];
  return low === high ? "nearly all of it is spent" : `${low} to ${high} with 80 %`;
}

/** Sum of the groups that are shown. */
export const shownTotal = ({ groups, totalUsd }: View, hidesIdle: boolean): number =>
  hidesIdle ? groups.filter(({ kind }) => kind !== "idle").reduce((sum, { usd }) => sum + usd, 0) : totalUsd;

/** Cost of a million requests; null where there was none. */
export const perMillion = (usd: number, requests: number): number | null =>
  requests > 0 ? (usd / requests) * 1e6 : null;

/** Share by which this stretch costs more than as much of the one before; null: that is not known, or was 0. */
export const againstBefore = ({ totalUsd, previousUsd }: Pick<View, "totalUsd" | "previousUsd">): number | null =>
  previousUsd === null || previousUsd === 0 ? null : totalUsd / previousUsd - 1;

/**
 * The month as it adds up: spent until now, then the projection with its interval to the month's end, and the budget of the month.
 * @param month costs of the month by day
 */
export function monthOf(
  month: View,
  { rest }: Pick<MonthlySpend, "rest">,
  monthEndMs: number,
  budgetUsd: number | null,
): ChartData {
  const { stepStarts, stepMs, groups, nowMs } = month;
  const costOf = (index: number) => {
    const known = groups.flatMap(({ steps }) => steps[index] ?? []);
    return known.length === 0 ? null : known.reduce((total, usd) => total + usd, 0);
  };
  // Days before the first record are not known, which is not 0.
  const first = stepStarts.findIndex((_, index) => costOf(index) !== null);
  const past = first < 0 ? [] : stepStarts.slice(first).filter((startMs) => startMs <= nowMs);
  let sum = 0;
  const spent = past.map((_, index) => {
    sum += costOf(first + index) ?? 0;
    return sum;
  });
  // A day's cost has come together by its end; the present one's by now.
  const ends = past.map((startMs) => Math.min(startMs + stepMs, nowMs));
  const startMs = past[0] ?? nowMs;
  const times = [startMs, ...ends, ...(monthEndMs > nowMs ? [monthEndMs] : [])];
  const isOver = monthEndMs <= nowMs;
  const { lowUsd, highUsd } = rest;
  // Without an interval nothing on record tells what is to come, which is not 0.
  const coming = (usd: number) =>
    times.map((_, index) => {
      if (lowUsd === null || index < ends.length) return null;
      return index === ends.length ? sum : sum + usd;
    });
  const interval: ChartSeries[] =
    lowUsd === null || highUsd === null
      ? []
      : [
          { label: "lower end", color: "--c2", isEdge: true, values: coming(lowUsd) },
          { label: "upper end", color: "--c2", isEdge: true, values: coming(highUsd) },
        ];
  return {
    times,
    series: [
      { label: "spent", color: "--c1", kind: "area", values: [0, ...spent, ...(isOver ? [] : [null])] },
      { label: "projected", color: "--c2", isDashed: true, values: coming(rest.expectedUsd) },
      ...interval,
      ...(budgetUsd === null
        ? []
        : [{ label: "budget", color: "--c-limit" as const, isDashed: true, values: times.map(() => budgetUsd) }]),
    ],
    ...(interval.length === 0 ? {} : { bands: [{ upper: 3, lower: 2, color: "--c2" as const }] }),
  };
}

/** Word and shape of a budget. */
export const budgetStatus: Readonly<
  Record<BudgetState["status"], { readonly kind: StatusKind; readonly word: string }>
> = {
  within: { kind: "good", word: "within" },
  "at-risk": { kind: "warn", word: "at risk" },
  exceeded: { kind: "bad", word: "exceeded" },
};
