import type { BudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import { type NewDecision, nothingDone } from "#controller/store/decision-record.ts";
import {
  type DueAction,
  decideSpending,
  type LimitedOffers,
  type Spending,
  type SpendingAction,
  type SpendingEffect,
  spendingActions,
} from "./decide-spending.ts";
import { explainSpending } from "./explain-spending.ts";

const isActing = (action: string): action is SpendingAction => (spendingActions as readonly string[]).includes(action);

/** Actions of the fleet's budgets that are due. Those of tenants, models and regions are alerts only: the plan is one for all. */
export function dueActions(states: readonly BudgetState[]): DueAction[] {
  return states
    .filter(({ budget }) => budget.scope.kind === "fleet")
    .flatMap(({ budget, usedPercent, reached }) =>
      reached.flatMap(({ action, atPercent }) =>
        isActing(action) ? [{ budget: budget.id, action, atPercent, usedPercent }] : [],
      ),
    );
}

/** Limits that are in force, and a record each time that they change. */
export class SpendingWatch {
  readonly #maxCloudUsdPerHour: number | null;
  #states: () => readonly BudgetState[] = () => [];
  #recorded = "";

  constructor(maxCloudUsdPerHour: number | null) {
    this.#maxCloudUsdPerHour = maxCloudUsdPerHour;
  }

  /** Follows the states of budgets. */
  follow(states: () => readonly BudgetState[]): void {
    this.#states = states;
  }

  current(): Spending {
    return decideSpending(this.#maxCloudUsdPerHour, dueActions(this.#states()));
  }

  /** Returns the decision to record when the limits are others than at the last call; null: they are the same. */
  change(
    spending: Spending,
    limited: Pick<LimitedOffers, "cut">,
    effect: SpendingEffect | null,
    atMs: number,
  ): NewDecision | null {
    const { due } = spending;
    const key = JSON.stringify([due.map(({ budget, action }) => [budget, action]), limited.cut.map(({ id }) => id)]);
    const isNone = due.length === 0 && limited.cut.length === 0;
    if (key === this.#recorded || (isNone && this.#recorded === "")) return null;
    this.#recorded = isNone ? "" : key;
    const reason = isNone ? "no spending limit applies any more" : explainSpending(spending, limited, effect);
    const rule = isNone ? "ended" : (due.at(-1)?.action ?? "max-cloud-cost");
    const inputs = { spending, cut: limited.cut, effect };
    return { atMs, kind: "spending", rule, reason, agents: [], inputs, outcome: nothingDone };
  }
}
