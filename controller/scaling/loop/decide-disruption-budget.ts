import type { BudgetAmount, DisruptionBudgetInput } from "./disruption-budget.ts";

export interface BudgetedActs {
  readonly activate: readonly string[];
  readonly standBy: readonly string[];
  readonly modes: readonly string[];
}

/** An act that has to wait. */
export interface DeferredAct {
  readonly agentId: string;
  readonly kind: keyof BudgetedActs;
  /** budget: it is used up; starts-first: the agents that must start serving first are waiting for the budget. */
  readonly rule: "budget" | "starts-first";
}

export interface DisruptionBudgetDecision {
  readonly allowed: BudgetedActs;
  /** Acts that have to wait; the next decision considers them afresh. */
  readonly deferred: readonly DeferredAct[];
  /** Number of acts of each kind that were left for this minute. */
  readonly left: { readonly activate: number; readonly standBy: number; readonly modes: number };
}

/** Returns the number that an amount is of `total`; an invalid amount counts as none, so that a mistake stops changes instead of allowing all. */
function amountOf(amount: BudgetAmount, total: number): number {
  if (typeof amount === "number") return Number.isInteger(amount) ? amount : 0;
  const match = /^(\d{1,3})%$/.exec(String(amount));
  const percent = match === null ? Number.NaN : Number(match[1]);
  return percent <= 100 ? Math.ceil((total * percent) / 100) : 0;
}

/**
 * Decides which changes this minute allows: of each kind the budget's number or share of the fleet (rounded up), less what was done in the
 * last minute. From what may stand by, agents that are not ready now are subtracted as well (Karpenter's rule): the fleet is disrupted
 * already. Agents in `exempt` (an operator's word, agents that are gone) are not counted.
 */
export function decideDisruptionBudget(input: DisruptionBudgetInput): DisruptionBudgetDecision {
  const { budget, fleetSize, notReady, lastMinute, acts, exempt } = input;
  const leftOf = (amount: BudgetAmount, used: number) => {
    const left = amountOf(amount, fleetSize) - used;
    return Number.isFinite(left) ? Math.max(0, left) : 0;
  };
  const left = {
    activate: leftOf(budget.activatePerMinute, lastMinute.activate),
    standBy: leftOf(budget.standByPerMinute, lastMinute.standBy + notReady),
    modes: leftOf(budget.modesPerMinute, lastMinute.modes),
  };
  const free = new Set(exempt);
  const deferred: DeferredAct[] = [];
  const cut = (kind: keyof BudgetedActs, limit: number, rule: DeferredAct["rule"] = "budget") => {
    let open = limit;
    return acts[kind].filter((agentId) => {
      if (free.has(agentId)) return true;
      open -= 1;
      if (open >= 0) return true;
      deferred.push({ agentId, kind, rule });
      return false;
    });
  };
  const activate = cut("activate", left.activate);
  // Agents leave only when the others serve: a replacement may be among those that wait.
  const standBy = deferred.length > 0 ? cut("standBy", 0, "starts-first") : cut("standBy", left.standBy);
  return { allowed: { activate, standBy, modes: cut("modes", left.modes) }, deferred, left };
}
