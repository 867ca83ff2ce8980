import { classifyReplica } from "./classify-replicas.ts";
import { ceil, type FailedProposal, failed, isWithinTolerance, type Proposal } from "./proposal.ts";
import type { MetricSpec, Replica, ReplicaInputs, Sample } from "./replica-inputs.ts";
import { sum, toThousandths } from "./thousandths.ts";

/** Returns the samples of the metric by replica; one without a usable value counts as missing. */
function samplesByReplica(metric: MetricSpec, samples: readonly Sample[]): Map<string, Sample & { value: number }> {
  const found = new Map<string, Sample & { value: number }>();
  for (const sample of samples) {
    const { replica, value } = sample;
    if (sample.metric !== metric.name || typeof replica !== "string") continue;
    if (value !== null && Number.isFinite(value)) found.set(replica, { ...sample, value });
  }
  return found;
}

/** Usage by replica id, in thousandths. */
type Usage = Map<string, bigint>;

/** Comparison of a per-replica metric's usage with its target; `missing` is the use assumed of a replica without a sample when shrinking. */
type UsageRatio =
  | FailedProposal
  | {
      readonly kind: "ratio";
      readonly of: (usage: Usage) => number | null;
      readonly missing: (replicaId: string) => bigint;
    };

function byUtilization(metric: MetricSpec, targetPercent: number, replicas: readonly Replica[]): UsageRatio {
  const requests = new Map<string, bigint>();
  for (const replica of replicas) {
    const request = replica.requests?.[metric.name];
    if (request === undefined) return { ...failed("no-request"), replica: replica.id };
    requests.set(replica.id, toThousandths(request));
  }
  const fallbackPercent = BigInt(Math.max(100, targetPercent));
  return {
    kind: "ratio",
    of: (usage) => {
      const known = [...usage].filter(([id]) => requests.has(id));
      const requested = sum(known.map(([id]) => requests.get(id) as bigint));
      if (requested === 0n) return null;
      return Number((100n * sum(known.map(([, value]) => value))) / requested) / targetPercent;
    },
    missing: (id) => ((requests.get(id) ?? 0n) * fallbackPercent) / 100n,
  };
}

function byAverage(targetAverageValue: number): UsageRatio {
  const target = toThousandths(targetAverageValue);
  return {
    kind: "ratio",
    of: (usage) => (usage.size === 0 ? null : Number(sum(usage.values()) / BigInt(usage.size)) / Number(target)),
    missing: () => target,
  };
}

/** Returns how usage compares with the target: utilisation is cut to whole per cent, an average to whole thousandths; `of` is null when there is nothing to divide by. */
function usageRatioFor(metric: MetricSpec, replicas: readonly Replica[]): UsageRatio {
  if (metric.kind === "resource" && metric.targetUtilizationPercent !== undefined) {
    return byUtilization(metric, metric.targetUtilizationPercent, replicas);
  }
  if (metric.targetAverageValue !== undefined) return byAverage(metric.targetAverageValue);
  return failed("no-target");
}

/** Returns what a resource or replica metric asks for: the ratio of mean use to target, times the replicas it was measured on. */
export function proposeByReplica(metric: MetricSpec, inputs: ReplicaInputs): Proposal {
  const { policy, replicas, currentReplicas } = inputs;
  if (replicas.length === 0) return failed("no-replica");
  const samples = samplesByReplica(metric, inputs.samples);
  const usage: Usage = new Map([...samples].map(([id, { value }]) => [id, toThousandths(value)]));
  const unready: string[] = [];
  const missing: string[] = [];
  let ready = 0;
  for (const replica of replicas) {
    const kind = classifyReplica(replica, samples.get(replica.id), metric, policy);
    if (kind === "ready") ready += 1;
    if (kind === "missing") missing.push(replica.id);
    if (kind === "unready") unready.push(replica.id);
    if (kind === "unready" || kind === "ignored") usage.delete(replica.id);
  }
  if (usage.size === 0) return failed("no-sample");

  const target = usageRatioFor(metric, replicas);
  if (target.kind === "failed") return target;
  const ratio = target.of(usage);
  if (ratio === null) return failed("nothing-requested");
  const basis = { of: "use", ratio, ready: null, missing: missing.length, unready: unready.length } as const;
  const fillUnready = unready.length > 0 && ratio > 1;
  if (!fillUnready && missing.length === 0) {
    return isWithinTolerance(ratio, policy)
      ? { kind: "replicas", rule: "within-tolerance", replicas: currentReplicas, ratio, basis: { ...basis, ready } }
      : { kind: "replicas", rule: "ratio", replicas: ceil(ratio * ready), ratio, basis: { ...basis, ready } };
  }

  // Missing figures count against the change: as high as possible when shrinking, as nothing when growing.
  if (ratio < 1) for (const id of missing) usage.set(id, target.missing(id));
  if (ratio > 1) for (const id of missing) usage.set(id, 0n);
  if (fillUnready) for (const id of unready) usage.set(id, 0n);
  const cautious = target.of(usage);
  if (cautious === null) return failed("nothing-requested");
  const keep = (rule: "within-tolerance" | "uncertain"): Proposal => ({
    ...{ kind: "replicas", rule, replicas: currentReplicas, ratio: cautious, basis },
  });
  if (isWithinTolerance(cautious, policy)) return keep("within-tolerance");
  if ((ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1)) return keep("uncertain");
  const proposed = ceil(cautious * usage.size);
  if ((cautious < 1 && proposed > currentReplicas) || (cautious > 1 && proposed < currentReplicas)) {
    return keep("uncertain");
  }
  return { kind: "replicas", rule: "ratio", replicas: proposed, ratio: cautious, basis };
}
