import { limitProposal, type ReplicaLimit } from "./limit-proposal.ts";
import type { Proposal } from "./proposal.ts";
import { proposeByReplica } from "./propose-by-replica.ts";
import { proposeByTotal } from "./propose-by-total.ts";
import type { MetricSpec, ReplicaInputs } from "./replica-inputs.ts";

export type MetricProposal = Proposal & { readonly metric: string };

export interface ReplicaDecision {
  /** metric: the metrics decided; no-metric: none is known; failed-metric: one failed, so the count does not fall. */
  readonly rule: "switched-off" | "above-maximum" | "below-minimum" | "no-metric" | "failed-metric" | "metric";
  readonly replicas: number;
  /** True when any metric failed, even if scaling went on. */
  readonly metricFailed: boolean;
  /** Limits between the proposal and the result, in the order in which they applied. */
  readonly limitedBy: readonly ReplicaLimit[];
  /** Count that the metrics ask for, unlimited: to be recorded for stabilisation. Null when they were not asked or could not say. */
  readonly proposed: number | null;
  readonly proposals: readonly MetricProposal[];
}

function proposalOf(metric: MetricSpec, inputs: ReplicaInputs): MetricProposal {
  const proposal: Proposal = inputs.failedMetrics.includes(metric.name)
    ? { kind: "failed", rule: "not-fetched" }
    : metric.kind === "external" || metric.kind === "object"
      ? proposeByTotal(metric, inputs)
      : proposeByReplica(metric, inputs);
  return { metric: metric.name, ...proposal };
}

/** Highest count of the proposals, never negative; null when all have failed. */
export function highestProposal(proposals: readonly Proposal[]): number | null {
  const counts = proposals.flatMap((proposal) => (proposal.kind === "replicas" ? [proposal.replicas] : []));
  return counts.length === 0 ? null : Math.max(0, ...counts);
}

/**
 * Decides how many replicas there should be, by the rules of Kubernetes' HorizontalPodAutoscaler v2 (with a tolerance per direction): each
 * metric proposes a count, the largest is taken, then stabilised, limited in rate and clamped to minimum..maximum. A failed metric never
 * lets the count fall. No replica with a positive minimum means that scaling is switched off.
 */
export function decideReplicas(inputs: ReplicaInputs): ReplicaDecision {
  const { policy, currentReplicas } = inputs;
  const { minReplicas, maxReplicas } = policy;
  const unasked = { metricFailed: false, proposed: null, proposals: [] } as const;
  if (currentReplicas === 0 && minReplicas > 0) {
    return { rule: "switched-off", replicas: 0, limitedBy: [], ...unasked };
  }
  if (currentReplicas > maxReplicas) {
    return { rule: "above-maximum", replicas: maxReplicas, limitedBy: ["maximum"], ...unasked };
  }
  if (currentReplicas < minReplicas) {
    return { rule: "below-minimum", replicas: minReplicas, limitedBy: ["minimum"], ...unasked };
  }

  const proposals = policy.metrics.map((metric) => proposalOf(metric, inputs));
  const metricFailed = proposals.some(({ kind }) => kind === "failed");
  const proposed = highestProposal(proposals);
  if (proposed === null || (metricFailed && proposed < currentReplicas)) {
    const rule = proposed === null ? "no-metric" : "failed-metric";
    return { rule, replicas: currentReplicas, metricFailed, limitedBy: ["failed-metric"], proposed: null, proposals };
  }
  return { rule: "metric", ...limitProposal(proposed, inputs), metricFailed, proposed, proposals };
}
