import type { ScalingDecision } from "./scaling-decision.ts";

export interface ReplicaBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

/**
 * What a policy leaves to the rule that chooses the agents. Where that only counts, the policy's own number; the fleet's plan, which weighs
 * costs, gets the room between the bounds, but no less than the triggers ask for: it doesn't know of them.
 */
export function boundsOf(decision: ScalingDecision, currentReplicas: number, isPlanned: boolean): ReplicaBounds {
  if (!isPlanned) return { minReplicas: decision.replicas, maxReplicas: decision.replicas };
  const { floor, ceiling, scaleInHeld, scaleOutHeld } = decision;
  const most = Math.max(floor, scaleOutHeld === null ? ceiling : Math.min(ceiling, currentReplicas));
  const asked = Math.max(decision.proposals.triggers?.wish ?? 0, scaleInHeld === null ? 0 : currentReplicas);
  return { minReplicas: Math.min(Math.max(floor, asked), most), maxReplicas: most };
}
