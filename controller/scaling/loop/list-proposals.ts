import { agentsToCarry } from "#controller/scaling/active-agents/agents-needed.ts";
import { availableOf } from "#controller/scaling/active-agents/choose-agents.ts";
import type { PlanSummary, ScalingFigures, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { durationToText } from "#controller/scaling/figures-to-text.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import type { ScalingConfig } from "./scaling-config.ts";

/** Number of agents that one rule by itself asks for; null when it can't say. */
export interface RuleProposal {
  readonly rule: string;
  readonly agents: number | null;
}

/** A step between what was asked for and what was decided. */
export interface LimitStep {
  readonly by: string;
  readonly from: number;
  readonly to: number;
}

/** Lists what each rule by itself asks for, and what limited it: stored with a decision. */
export function listProposals(
  {
    liveQps,
    forecastPeakQps,
    slo,
    candidates,
  }: Pick<ScalingInputs, "liveQps" | "forecastPeakQps" | "slo" | "candidates">,
  { windowPeakQps, need, windowNeed, availableCount }: ScalingFigures,
  scaling: ScalingDecision | null,
  plan: Pick<PlanSummary, "devices"> | undefined,
  config: Pick<ScalingConfig, "capacityPerReplicaQps" | "targetUtilization" | "stabilizationMs" | "maxReplicas">,
): { readonly proposals: readonly RuleProposal[]; readonly limitedBy: readonly LimitStep[] } {
  const available = availableOf(candidates);
  const agentsFor = (qps: number | null) =>
    qps === null || !Number.isFinite(qps) || qps < 0 ? null : agentsToCarry(qps, available, config);
  const felt = slo === undefined || slo.rule === "kept" ? null : agentsFor(slo.demandQps);
  const proposals: RuleProposal[] = [
    { rule: "present rate", agents: agentsFor(liveQps) },
    { rule: "forecast", agents: agentsFor(forecastPeakQps) },
    { rule: `highest of the last ${durationToText(config.stabilizationMs / 1000)}`, agents: agentsFor(windowPeakQps) },
  ];
  if (felt !== null) proposals.push({ rule: "what users experienced", agents: felt });
  if (plan !== undefined) proposals.push({ rule: "fleet plan", agents: plan.devices });
  const limitedBy: LimitStep[] = [];
  const wanted = Math.max(agentsFor(liveQps) ?? 0, agentsFor(forecastPeakQps) ?? 0, felt ?? 0);
  if (scaling === null || !scaling.acts) {
    if (wanted > need) {
      limitedBy.push({ by: need < config.maxReplicas ? "available agents" : "maximum", from: wanted, to: need });
    }
    if (wanted < need) limitedBy.push({ by: "minimum", from: wanted, to: need });
  }
  if (windowNeed > need) limitedBy.push({ by: "stabilisation", from: need, to: windowNeed });
  if (scaling === null || !scaling.acts) return { proposals, limitedBy };

  const { load, triggers, prediction } = scaling.proposals;
  const inPolicy = (rule: string) => `policy ${scaling.policy}: ${rule}`;
  if (load !== null) proposals.push({ rule: inPolicy("present rate"), agents: load.replicas });
  for (const proposal of triggers?.proposals ?? []) {
    const agents = proposal.kind === "replicas" ? proposal.replicas : null;
    proposals.push({ rule: inPolicy(`trigger ${proposal.metric}`), agents });
  }
  if (prediction !== null) proposals.push({ rule: inPolicy("forecast"), agents: prediction.need });
  limitedBy.push(...scaling.limitedBy);
  if (scaling.replicas > availableCount) {
    limitedBy.push({ by: "available agents", from: scaling.replicas, to: availableCount });
  }
  return { proposals, limitedBy };
}
