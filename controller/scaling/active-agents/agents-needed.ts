import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";

type Capacity = Pick<ScalingConfig, "capacityPerReplicaQps" | "targetUtilization">;

/** Number of agents of the usual capacity that carry a rate at the target utilisation; 0 for a rate that is not known. */
export function agentsNeeded(qps: number | null, { capacityPerReplicaQps, targetUtilization }: Capacity): number {
  return Math.ceil((qps ?? 0) / (capacityPerReplicaQps * targetUtilization));
}

/** Fewest and most agents that may serve, given that only `availableCount` can. */
export function agentLimits(
  { minReplicas, maxReplicas }: Pick<ScalingConfig, "minReplicas" | "maxReplicas">,
  availableCount: number,
): { readonly minAgents: number; readonly maxAgents: number } {
  const maxAgents = Math.min(maxReplicas, availableCount);
  return { minAgents: Math.min(minReplicas, maxAgents), maxAgents };
}
