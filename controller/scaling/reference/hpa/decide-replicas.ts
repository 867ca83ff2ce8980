import { limitWish, type ReplicaLimit } from "./limit-wish.ts";
import type { Proposal } from "./proposal.ts";
import { proposeByReplica } from "./propose-by-replica.ts";
import { proposeByTotal } from "./propose-by-total.ts";
import type { MetricSpec, ReplicaInputs } from "./replica-inputs.ts";

export interface ReplicaDecision {
  readonly replicas: number;
  /** True when any metric failed, even if scaling went on. */
  readonly metricFailed: boolean;
  readonly reason: string;
  /** What stood between the wish and the result, in the order in which it did. */
  readonly limitedBy: readonly ReplicaLimit[];
  /** What the metrics ask for, unlimited: to be recorded for stabilisation. Null when they were not asked or could not say. */
  readonly wish: number | null;
  readonly proposals: readonly (Proposal & { readonly metric: string })[];
}

function proposalOf(metric: MetricSpec, inputs: ReplicaInputs): Proposal & { readonly metric: string } {
  const proposal: Proposal = inputs.failedMetrics.includes(metric.name)
    ? { kind: "failed", reason: "could not be fetched" }
    : metric.kind === "external" || metric.kind === "object"
      ? proposeByTotal(metric, inputs)
      : proposeByReplica(metric, inputs);
  return { metric: metric.name, ...proposal };
}

/**
 * How many replicas there should be, by the rules of Kubernetes' HorizontalPodAutoscaler v2 (with a tolerance per direction): each metric
 * proposes a count, the largest is taken, then stabilised, limited in rate and clamped to minimum..maximum. A failed metric never lets the
 * count fall. None with a positive minimum means that scaling is switched off.
 */
export function decideReplicas(inputs: ReplicaInputs): ReplicaDecision {
  const { policy, currentReplicas } = inputs;
  const { minReplicas, maxReplicas } = policy;
  const unasked = (replicas: number, reason: string, limitedBy: readonly ReplicaLimit[]): ReplicaDecision => ({
    ...{ replicas, metricFailed: false, reason, limitedBy, wish: null, proposals: [] },
  });
  if (currentReplicas === 0 && minReplicas > 0) {
    return unasked(0, `switched off: no replica although the minimum is ${minReplicas}`, []);
  }
  if (currentReplicas > maxReplicas) {
    return unasked(maxReplicas, `${currentReplicas} are more than the maximum of ${maxReplicas}`, ["maximum"]);
  }
  if (currentReplicas < minReplicas) {
    return unasked(minReplicas, `${currentReplicas} are fewer than the minimum of ${minReplicas}`, ["minimum"]);
  }

  const proposals = policy.metrics.map((metric) => proposalOf(metric, inputs));
  const failures = proposals.filter(({ kind }) => kind === "failed");
  const metricFailed = failures.length > 0;
  const counts = proposals.flatMap((proposal) => (proposal.kind === "replicas" ? [proposal.replicas] : []));
  const wish = counts.length === 0 ? null : Math.max(0, ...counts);
  if (wish === null || (metricFailed && wish < currentReplicas)) {
    const why = failures.map(({ metric, reason }) => `${metric}: ${reason}`).join("; ");
    const what = wish === null ? "no metric is known" : `no shrinking to ${wish} while a metric is not known`;
    return {
      ...{
        replicas: currentReplicas,
        metricFailed,
        reason: `${what} (${why})`,
        limitedBy: ["failed-metric"],
        wish: null,
      },
      proposals,
    };
  }
  const leading = proposals.find((proposal) => proposal.kind === "replicas" && Math.max(0, proposal.replicas) === wish);
  const { replicas, limitedBy } = limitWish(wish, inputs);
  const limits = limitedBy.length === 0 ? "" : `; ${replicas} by ${limitedBy.join(", ")}`;
  const reason = `${leading?.metric} asks for ${wish} (${leading?.reason})${limits}`;
  return { replicas, metricFailed, reason, limitedBy, wish, proposals };
}
