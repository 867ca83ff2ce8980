import { actionToText } from "./budget.ts";
import type { BudgetState } from "./decide-budget-state.ts";

const usd = (amount: number) => `${amount.toFixed(2)} $`;
const scopeToText = ({ kind, name }: BudgetState["budget"]["scope"]) => (kind === "fleet" ? kind : `${kind} ${name}`);

/** Explains how a budget stands. */
export function explainBudgetState(state: BudgetState): string {
  const { budget, spentUsd, usedPercent, projectedUsd, projectedPercent, spentByMs, reached } = state;
  const period = { daily: "today", weekly: "this week", monthly: "this month" }[budget.period];
  const spent = `${scopeToText(budget.scope)} has spent ${usd(spentUsd)} of ${usd(budget.amountUsd)} ${period} (${usedPercent.toFixed(0)} %)`;
  const projected = `at the rate of the newest day it will be ${usd(projectedUsd)} (${projectedPercent.toFixed(0)} %)`;
  const when = spentByMs === null ? "" : `, all of it by ${new Date(spentByMs).toISOString().slice(0, 16)}Z`;
  const steps = reached.map((step) => `${actionToText(step)} at ${step.atPercent} %`);
  return `${spent}; ${projected}${when}${steps.length === 0 ? "" : `; due: ${steps.join(", ")}`}`;
}
