import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";

type Capacity = Pick<ScalingConfig, "capacityPerReplicaQps" | "targetUtilization">;

/** Number of agents of the usual capacity that carry a rate at the target utilisation; 0 for a rate that is unknown. */
export function agentsNeeded(qps: number | null, { capacityPerReplicaQps, targetUtilization }: Capacity): number {
  return Math.ceil((qps ?? 0) / (capacityPerReplicaQps * targetUtilization));
}

interface Carrier {
  readonly active: boolean;
  readonly capacityQps: number;
}

/**
 * Number of these agents that carry a rate at the target utilisation, those that serve and the largest first. A rate beyond all of them
 * counts as many more as their mean capacity makes of it.
 */
export function agentsToCarry(qps: number | null, agents: readonly Carrier[], usual: Capacity): number {
  const { capacityPerReplicaQps, targetUtilization } = usual;
  const capacities = agents
    .filter(({ capacityQps }) => Number.isFinite(capacityQps))
    .toSorted((a, b) => Number(b.active) - Number(a.active) || b.capacityQps - a.capacityQps)
    .map(({ capacityQps }) => capacityQps);
  const wantedQps = (qps ?? 0) / targetUtilization;
  let carriedQps = 0;
  let count = 0;
  for (const capacityQps of capacities) {
    if (carriedQps >= wantedQps) return count;
    carriedQps += capacityQps;
    count += 1;
  }
  if (carriedQps >= wantedQps) return count;
  const meanQps = carriedQps > 0 ? carriedQps / count : capacityPerReplicaQps;
  return agents.length + Math.ceil((wantedQps - carriedQps) / meanQps);
}

/** Fewest and most agents that may serve, given that only `availableCount` can. */
export function agentLimits(
  { minReplicas, maxReplicas }: Pick<ScalingConfig, "minReplicas" | "maxReplicas">,
  availableCount: number,
): { readonly minAgents: number; readonly maxAgents: number } {
  const maxAgents = Math.min(maxReplicas, availableCount);
  return { minAgents: Math.min(minReplicas, maxAgents), maxAgents };
}
