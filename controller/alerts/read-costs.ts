import { dayMs, hourMs } from "#platform/time.ts";
import { type AnomalyTerms, findAnomalies } from "../cost/anomaly/find-anomalies.ts";
import { actionToText } from "../cost/budgets/budget.ts";
import type { BudgetState } from "../cost/budgets/decide-budget-state.ts";
import { explainBudgetState } from "../cost/budgets/explain-budget-state.ts";
import type { CostHistory, CostHour } from "../cost/history/cost-history.ts";
import { costDimensions, hourStart, periodAt, spentBy, spentOf } from "../cost/history/sum-costs.ts";
import { type Money, moneyToNumber } from "../cost/money/money.ts";
import { budgetRule } from "./alert-rules.ts";
import type { AlertReading } from "./decide-alert.ts";
import type { RuleValue } from "./read-service.ts";

const fleet = { kind: "fleet", name: null } as const;
const usdOf = (hours: readonly CostHour[]) => moneyToNumber(spentOf(hours, fleet));
/** Hours of a month, as prices of months are meant. */
const hoursOfMonth = 730;

/** Names the part of the fleet whose cost grew most between two hours. */
function moverOf(before: readonly CostHour[], after: readonly CostHour[]): string | undefined {
  let most: { readonly name: string; readonly by: Money } | null = null;
  for (const dimension of costDimensions) {
    const then = spentBy(before, dimension);
    for (const [value, cost] of spentBy(after, dimension)) {
      const by = cost - (then.get(value) ?? 0n);
      const name = value === null ? "idle time" : `${dimension} ${value === "" ? "(none)" : value}`;
      if (by > (most?.by ?? 0n)) most = { name, by };
    }
  }
  return most === null ? undefined : `mostly ${most.name}, ${moneyToNumber(most.by).toFixed(2)} $ more an hour`;
}

/** Reads the figures of cost that alerts watch. A figure whose hours are not on record is unknown. */
export async function readCosts(history: CostHistory, nowMs: number): Promise<RuleValue[]> {
  const thisHour = hourStart(nowMs);
  const newest = await history.hours(thisHour - hourMs, thisHour);
  const dayBefore = await history.hours(thisHour - 25 * hourMs, thisHour - 24 * hourMs);
  const day = await history.hours(nowMs - 24 * hourMs, nowMs);
  const hourly = newest.length === 0 ? null : usdOf(newest);
  const then = dayBefore.length === 0 ? 0 : usdOf(dayBefore);
  const mover = moverOf(dayBefore, newest);
  return [
    { rule: "daily-cost", labels: {}, value: day.length === 0 ? null : usdOf(day) },
    { rule: "monthly-projection", labels: {}, value: hourly === null ? null : hourly * hoursOfMonth },
    {
      ...{ rule: "cost-spike", labels: {}, value: hourly === null || then <= 0 ? null : 100 * (hourly / then - 1) },
      ...(mover === undefined ? {} : { detail: mover }),
    },
  ];
}

/** Reads how yesterday is judged: the fleet, and its parts other than those that the fleet's anomaly names. */
export async function readAnomalies(history: CostHistory, terms: AnomalyTerms, nowMs: number): Promise<RuleValue[]> {
  const today = periodAt("daily", nowMs, terms.timeZone);
  const yesterday = periodAt("daily", today.startMs - dayMs / 2, terms.timeZone);
  const judged = await findAnomalies(history, { startMs: yesterday.startMs, endMs: today.startMs, nowMs }, terms);
  const named = judged.flatMap(({ movers }) => movers.map(({ dimension, name }) => `${dimension} ${name}`));
  return judged
    .filter(({ scope }) => !named.includes(`${scope.kind} ${scope.name}`))
    .map(({ scope, isAnomaly, score, reason }) => ({
      ...{ rule: "cost-anomaly" as const, labels: scope.kind === "fleet" ? {} : { [scope.kind]: scope.name ?? "" } },
      ...{ value: isAnomaly ? Math.min(score, 1e6) : 0, detail: reason },
    }));
}

/** Reads each share of each budget as an alert of its own. */
export function readBudgets(states: readonly BudgetState[]): AlertReading[] {
  return states.flatMap((state) =>
    state.budget.actions.map(({ atPercent, ...step }) => ({
      rule: budgetRule,
      labels: {
        ...{ budget: state.budget.id, at: `${atPercent} %`, action: actionToText(step) },
        ...(state.budget.scope.name === null ? {} : { [state.budget.scope.kind]: state.budget.scope.name }),
      },
      // At the share itself the action is due, so the alert is, too.
      value: state.usedPercent >= atPercent ? Math.max(state.usedPercent, atPercent + 1e-9) : state.usedPercent,
      ...{
        threshold: atPercent,
        isBelow: false,
        unit: "%",
        forMs: 0,
        summary: "share of the budget that has been spent",
      },
      severity: atPercent >= 100 ? ("critical" as const) : ("warning" as const),
      detail: explainBudgetState(state),
    })),
  );
}
