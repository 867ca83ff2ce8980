import { type FailedProposal, failed } from "./proposal.ts";
import type { MetricSpec, Replica } from "./replica-inputs.ts";
import { sum, toThousandths } from "./thousandths.ts";

/** Usage by replica id, in thousandths. */
export type Usage = Map<string, bigint>;

/** Comparison of a per-replica metric's usage with its target; `missing` is the use assumed of a replica without a sample when shrinking. */
export type UsageRatio =
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
export function usageRatioFor(metric: MetricSpec, replicas: readonly Replica[]): UsageRatio {
  if (metric.kind === "resource" && metric.targetUtilizationPercent !== undefined) {
    return byUtilization(metric, metric.targetUtilizationPercent, replicas);
  }
  if (metric.targetAverageValue !== undefined) return byAverage(metric.targetAverageValue);
  return failed("no-target");
}
