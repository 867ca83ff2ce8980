import type { ActiveAgentsDecision, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import { agentsOf } from "./decision-records.ts";
import { listProposals } from "./list-proposals.ts";
import type { ScalingConfig } from "./scaling-config.ts";

/** Most candidates that are stored with a decision. */
const maxCandidatesKept = { hold: 10, change: 100 } as const;

/** Collects what is stored with a decision beside its figures. */
export function shownInputs(
  decision: ActiveAgentsDecision,
  inputs: ScalingInputs,
  forecasts: { readonly forecastModel: string | null; readonly agentForecastPeakQps: number | null },
  scaling: ScalingDecision | null,
  config: ScalingConfig,
): Record<string, unknown> {
  const { candidates, liveQps, forecastPeakQps, missingData, slo } = inputs;
  const { figures, plan, cloud, returned } = decision;
  const isChange = decision.kind !== "hold";
  const touched = new Set(isChange ? agentsOf(decision) : []);
  return {
    ...{ liveQps, forecastPeakQps, ...forecasts, missingData },
    ...(slo === undefined ? {} : { slo }),
    ...listProposals(inputs, figures, scaling, plan, config),
    // Agents that the decision is about come first: of a large fleet not every agent is stored.
    candidates: candidates
      .toSorted((a, b) => Number(touched.has(b.agentId)) - Number(touched.has(a.agentId)))
      .slice(0, maxCandidatesKept[isChange ? "change" : "hold"]),
    ...(returned === undefined ? {} : { returned }),
    ...(plan === undefined ? {} : { plan }),
    ...(cloud === undefined ? {} : { cloud }),
    ...(scaling === null ? {} : { scaling }),
  };
}
