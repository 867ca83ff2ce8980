import { hourMs } from "#platform/time.ts";
import { divideToNearest, type Money, moneyOf, moneyToNumber } from "../money/money.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import type { Budget } from "./budget.ts";

export interface BudgetInput {
  readonly budget: Budget;
  /** Period that holds the present. */
  readonly period: TimeWindow;
  readonly nowMs: number;
  /** Amount spent since the period began. */
  readonly spent: Money;
  /** Amount spent in the newest hours, by which the rest of the period is projected. */
  readonly recent: Money;
  readonly recentHours: number;
}

export interface BudgetState {
  readonly budget: Budget;
  readonly period: TimeWindow;
  readonly status: "within" | "at-risk" | "exceeded";
  readonly spentUsd: number;
  /** Amount at the end of the period at the rate of the newest hours. */
  readonly projectedUsd: number;
  readonly usedPercent: number;
  readonly projectedPercent: number;
  /** Time at which the amount is spent at this rate; null: not within the period. */
  readonly spentByMs: number | null;
  /** Actions whose share is spent, the highest share last. */
  readonly reached: Budget["actions"];
}

/** Decides how a budget stands: what is spent of it, what will be at its end, and which of its actions are due. */
export function decideBudgetState(input: BudgetInput): BudgetState {
  const { budget, period, nowMs, spent, recent, recentHours } = input;
  const amount = moneyOf(budget.amountUsd);
  const leftMs = Math.max(0, period.endMs - nowMs);
  const recentMs = BigInt(Math.round(recentHours * hourMs));
  const coming = recentMs > 0n ? divideToNearest(recent * BigInt(Math.round(leftMs)), recentMs) : 0n;
  const projected = spent + coming;
  const percentOf = (part: Money) => (100 * moneyToNumber(part)) / budget.amountUsd;
  const usedPercent = percentOf(spent);
  const left = amount - spent;
  const untilSpentMs = recent > 0n ? Number((left * recentMs) / recent) : Number.POSITIVE_INFINITY;
  const spentByMs = left <= 0n || untilSpentMs > leftMs ? null : nowMs + untilSpentMs;
  return {
    ...{ budget, period, spentUsd: moneyToNumber(spent), projectedUsd: moneyToNumber(projected), usedPercent },
    projectedPercent: percentOf(projected),
    status: spent >= amount ? "exceeded" : projected > amount ? "at-risk" : "within",
    spentByMs,
    reached: budget.actions
      .filter(({ atPercent }) => usedPercent >= atPercent)
      .toSorted((a, b) => a.atPercent - b.atPercent),
  };
}
