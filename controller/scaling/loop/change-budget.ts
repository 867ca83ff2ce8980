import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { AgentCandidate, FleetChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import { minuteMs } from "#platform/time.ts";
import { type BudgetedActs, decideDisruptionBudget } from "./decide-disruption-budget.ts";
import type { DisruptionBudgetInput } from "./disruption-budget.ts";
import { explainDeferredAct } from "./explain-disruption-budget.ts";
import type { ScalingConfig } from "./scaling-config.ts";

export type ChangeBudget = ReturnType<typeof createChangeBudget>;

const kinds = ["activate", "standBy", "modes"] as const;

/** Keeps what a minute changes within the budget. */
export function createChangeBudget(
  { budget, enabled }: Pick<ScalingConfig, "budget" | "enabled">,
  { documents }: Pick<DesiredDocuments, "documents">,
  nowMs: () => number,
) {
  let spent: { readonly atMs: number; readonly kind: keyof BudgetedActs }[] = [];
  return {
    /** Returns the part of a revalidated decision that may still be done this minute, and counts it as done; the rest is skipped, with the reason. */
    cut(
      { modes = [] }: FleetChange,
      { activated, stoodBy, skipped }: DecisionOutcome,
      candidates: readonly AgentCandidate[],
    ): DecisionOutcome {
      const now = nowMs();
      spent = spent.filter(({ atMs }) => atMs > now - minuteMs && atMs <= now);
      const used = (kind: keyof BudgetedActs) => spent.filter((each) => each.kind === kind).length;
      const switching = modes.filter(({ agentId, mode }) => documents.get(agentId)?.powerMode !== mode);
      // Operators' words and agents that are gone: putting them on standby disrupts nothing.
      const exempt = candidates.flatMap(({ agentId, overrideRole, unavailable }) =>
        overrideRole !== null || unavailable !== null ? [agentId] : [],
      );
      const input: DisruptionBudgetInput = {
        budget,
        fleetSize: candidates.length,
        notReady: candidates.filter(({ active, unavailable }) => active && unavailable !== null).length,
        lastMinute: { activate: used("activate"), standBy: used("standBy"), modes: used("modes") },
        acts: {
          activate: [...activated],
          standBy: [...stoodBy],
          modes: switching.map(({ agentId }) => agentId).filter((agentId) => !activated.includes(agentId)),
        },
        exempt,
      };
      const { allowed, deferred } = decideDisruptionBudget(input);
      if (enabled) {
        const free = new Set(exempt);
        for (const kind of kinds) {
          for (const agentId of allowed[kind]) if (!free.has(agentId)) spent.push({ atMs: now, kind });
        }
      }
      const late = new Set(deferred.map(({ agentId }) => agentId));
      return {
        activated: allowed.activate,
        stoodBy: allowed.standBy,
        modes: modes.filter(({ agentId }) => !late.has(agentId)),
        skipped: [
          ...skipped,
          ...deferred.map((act) => ({ agentId: act.agentId, reason: explainDeferredAct(act, input) })),
        ],
      };
    },
  };
}
