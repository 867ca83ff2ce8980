import type { DeferredAct } from "./decide-disruption-budget.ts";
import type { DisruptionBudgetInput } from "./disruption-budget.ts";

const kindToText = { activate: "activated", standBy: "put on standby", modes: "given another power mode" } as const;

/** Explains why an act has to wait. */
export function explainDeferredAct({ kind, rule }: DeferredAct, input: DisruptionBudgetInput): string {
  if (rule === "starts-first") return "the agents that must start serving first are waiting for the budget";
  const { budget, fleetSize, lastMinute, notReady } = input;
  const amount = budget[`${kind}PerMinute`];
  const of = typeof amount === "string" ? ` of ${fleetSize}` : "";
  const done = lastMinute[kind] > 0 ? `, ${lastMinute[kind]} in the last minute` : "";
  const unready = kind === "standBy" && notReady > 0 ? `, ${notReady} not ready now` : "";
  return `the budget allows ${amount}${of} to be ${kindToText[kind]} per minute${done}${unready}`;
}
