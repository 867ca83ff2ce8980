import type { ScalingDecision } from "./scaling-decision.ts";

export interface ReplicaBounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

/**
 * Returns the bounds that a policy leaves to the rule that chooses the agents: the policy's own number where that rule only counts; the
 * fleet's plan, which weighs costs, may choose between floor and ceiling, but no less than the triggers ask for: it doesn't know of them.
 * While users are not given what they were promised the policy's number is the least, and its ceiling still the most.
 */
export function boundsOf(
  decision: ScalingDecision,
  currentReplicas: number,
  isPlanned: boolean,
  isMissed = false,
): ReplicaBounds {
  const { replicas, floor, ceiling, scaleInHeld, scaleOutHeld } = decision;
  if (!isPlanned && !isMissed) return { minReplicas: replicas, maxReplicas: replicas };
  const upper = Math.max(floor, scaleOutHeld === null ? ceiling : Math.min(ceiling, currentReplicas));
  if (!isPlanned) return { minReplicas: Math.min(replicas, upper), maxReplicas: upper };
  const asked = Math.max(decision.proposals.triggers?.proposed ?? 0, scaleInHeld === null ? 0 : currentReplicas);
  return { minReplicas: Math.min(Math.max(floor, asked), upper), maxReplicas: upper };
}
