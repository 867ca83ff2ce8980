import type { BudgetAmount, DisruptionBudgetInput } from "./disruption-budget.ts";

export interface BudgetedActs {
  readonly activate: readonly string[];
  readonly standBy: readonly string[];
  readonly modes: readonly string[];
}

export interface DisruptionBudgetDecision {
  readonly allowed: BudgetedActs;
  /** What has to wait, each with its reason; the next decision looks at it afresh. */
  readonly deferred: readonly { readonly agentId: string; readonly reason: string }[];
  /** How many acts of each kind were left for this minute. */
  readonly left: { readonly activate: number; readonly standBy: number; readonly modes: number };
}

/** Of `total`; what makes no sense counts as none, so that a mistake stops changes instead of letting all through. */
function amountOf(amount: BudgetAmount, total: number): number {
  if (typeof amount === "number") return Number.isInteger(amount) && amount >= 0 ? amount : 0;
  const match = /^(\d{1,3})%$/.exec(String(amount));
  const percent = match === null ? Number.NaN : Number(match[1]);
  return percent <= 100 ? Math.ceil((total * percent) / 100) : 0;
}

const words = { activate: "activated", standBy: "put on standby", modes: "given another power mode" } as const;

/**
 * Cuts what is to be changed to what a minute may change: of each kind the budget's number or share of the fleet (rounded up), less what was
 * done in the last minute. From what may stand by, agents that are not ready now are subtracted as well (Karpenter's rule): the fleet is
 * disrupted already. What is `exempt` (an operator's word, agents that are gone) is not counted.
 */
export function decideDisruptionBudget(input: DisruptionBudgetInput): DisruptionBudgetDecision {
  const { budget, fleetSize, notReady, lastMinute, acts, exempt } = input;
  const size = Number.isFinite(fleetSize) && fleetSize > 0 ? fleetSize : 0;
  const room = (amount: BudgetAmount, used: number) => {
    const left = amountOf(amount, size) - used;
    return Number.isFinite(left) ? Math.max(0, left) : 0;
  };
  const left = {
    activate: room(budget.activatePerMinute, lastMinute.activate),
    standBy: room(budget.standByPerMinute, lastMinute.standBy + notReady),
    modes: room(budget.modesPerMinute, lastMinute.modes),
  };
  const free = new Set(exempt);
  const deferred: { agentId: string; reason: string }[] = [];
  const cut = (kind: keyof BudgetedActs) => {
    let open = left[kind];
    return acts[kind].filter((agentId) => {
      if (free.has(agentId)) return true;
      if (open > 0) {
        open -= 1;
        return true;
      }
      const amount = budget[`${kind}PerMinute`];
      const unready = kind === "standBy" && notReady > 0 ? `, ${notReady} not ready now` : "";
      const done = lastMinute[kind] > 0 ? `, ${lastMinute[kind]} in the last minute` : "";
      const of = typeof amount === "string" ? ` of ${size}` : "";
      deferred.push({ agentId, reason: `the budget lets ${amount}${of} be ${words[kind]} a minute${done}${unready}` });
      return false;
    });
  };
  const activate = cut("activate");
  // Whoever leaves must find the others serving: who is to replace it may be among those that wait.
  const isWaitedFor = deferred.length > 0;
  const standBy = isWaitedFor ? acts.standBy.filter((agentId) => free.has(agentId)) : cut("standBy");
  if (isWaitedFor) {
    const reason = "others that are to serve first have to wait for the budget";
    for (const agentId of acts.standBy) if (!free.has(agentId)) deferred.push({ agentId, reason });
  }
  return { allowed: { activate, standBy, modes: cut("modes") }, deferred, left };
}
