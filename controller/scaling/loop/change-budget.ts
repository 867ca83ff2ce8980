import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { ActiveAgentsDecision, AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import { type BudgetedActs, decideDisruptionBudget } from "./decide-disruption-budget.ts";
import type { ScalingConfig } from "./scaling-config.ts";

/** Keeps what a minute changes within the budget. */
export interface ChangeBudget {
  /** What of a revalidated decision may still be done this minute; the rest is skipped, with the reason. What is left in counts as done. */
  cut(
    decision: Exclude<ActiveAgentsDecision, { kind: "hold" }>,
    outcome: DecisionOutcome,
    candidates: readonly AgentCandidate[],
  ): DecisionOutcome;
}

const budgetMs = 60_000;
const kinds = ["activate", "standBy", "modes"] as const;

export function createChangeBudget(
  { budget, enabled }: Pick<ScalingConfig, "budget" | "enabled">,
  { documents }: Pick<DesiredDocuments, "documents">,
  nowMs: () => number,
): ChangeBudget {
  let spent: { readonly atMs: number; readonly kind: keyof BudgetedActs }[] = [];
  return {
    cut({ modes = [] }, { activated, stoodBy, skipped }, candidates) {
      const now = nowMs();
      spent = spent.filter(({ atMs }) => atMs > now - budgetMs && atMs <= now);
      const used = (kind: keyof BudgetedActs) => spent.filter((each) => each.kind === kind).length;
      const switching = modes.filter(({ agentId, mode }) => documents.get(agentId)?.powerMode !== mode);
      // An operator's word, and agents that are gone: nothing is disrupted by putting them on standby.
      const exempt = candidates.flatMap(({ agentId, overrideRole, unavailable }) =>
        overrideRole !== null || unavailable !== null ? [agentId] : [],
      );
      const { allowed, deferred } = decideDisruptionBudget({
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
      });
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
        skipped: [...skipped, ...deferred],
      };
    },
  };
}
