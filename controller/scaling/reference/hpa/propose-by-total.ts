import { ceil, failed, isWithinTolerance, type Proposal } from "./proposal.ts";
import type { MetricSpec, ReplicaInputs } from "./replica-inputs.ts";
import { sum, toThousandths } from "./thousandths.ts";

/** Returns what an external or object metric asks for: one figure for all replicas, the sum of its series. */
export function proposeByTotal(metric: MetricSpec, inputs: ReplicaInputs): Proposal {
  const { currentReplicas, replicas, policy } = inputs;
  const series = inputs.samples.filter((sample) => sample.metric === metric.name && (sample.replica ?? null) === null);
  if (series.length === 0) return failed("no-series");
  const values = series.map(({ value }) => value);
  // A sum that lacks a part is too low, and too low a sum scales in.
  if (!values.every((value) => value !== null && Number.isFinite(value))) return failed("no-value");
  const usage = Number(sum((values as number[]).map(toThousandths)));

  if (metric.targetAverageValue !== undefined) {
    const target = Number(toThousandths(metric.targetAverageValue));
    const ratio = usage / (target * currentReplicas);
    const basis = { of: "average", usage: usage / 1000, target: target / 1000 } as const;
    return isWithinTolerance(ratio, policy)
      ? { kind: "replicas", rule: "within-tolerance", replicas: currentReplicas, ratio, basis }
      : { kind: "replicas", rule: "ratio", replicas: ceil(usage / target), ratio, basis };
  }
  if (metric.targetValue === undefined) return failed("no-target");
  const target = Number(toThousandths(metric.targetValue));
  const ratio = usage / target;
  const basis = { of: "total", usage: usage / 1000, target: target / 1000, ready: null } as const;
  if (currentReplicas === 0) return { kind: "replicas", rule: "ratio", replicas: ceil(ratio), ratio, basis };
  if (isWithinTolerance(ratio, policy)) {
    return { kind: "replicas", rule: "within-tolerance", replicas: currentReplicas, ratio, basis };
  }
  if (replicas.length === 0) return failed("no-replica");
  const ready = replicas.filter((replica) => replica.phase === "running" && replica.ready === true).length;
  return { kind: "replicas", rule: "ratio", replicas: ceil(ratio * ready), ratio, basis: { ...basis, ready } };
}
