import type { History, ScalingRules } from "./replica-inputs.ts";

type RatePolicy = Required<ScalingRules>["policies"][number];

/** How many replicas there were when the period began; only changes strictly younger than it count. */
function replicasAtStart(currentReplicas: number, changes: History["changes"], periodS: number): number {
  return changes.reduce((start, { agoS, delta }) => (agoS < periodS ? start - delta : start), currentReplicas);
}

// The arithmetic is that of 64-bit floats on purpose: 100 * (1 + 10 / 100) is a little above 110 and ends at 111.
const limitUp = (start: number, { type, value }: RatePolicy) =>
  type === "count" ? start + value : Math.ceil(start * (1 + value / 100));
const limitDown = (start: number, { type, value }: RatePolicy) =>
  type === "count" ? start - value : Math.trunc(start * (1 - value / 100));

/** The most replicas there may be now; at least the current number. */
export function growthLimit(
  currentReplicas: number,
  changes: History["changes"],
  { selectPolicy, policies }: Required<ScalingRules>,
): number {
  if (selectPolicy === "disabled") return currentReplicas;
  const limits = policies.map((policy) => limitUp(replicasAtStart(currentReplicas, changes, policy.periodS), policy));
  return Math.max(currentReplicas, selectPolicy === "min" ? Math.min(...limits) : Math.max(...limits));
}

/** The fewest replicas there may be now; at most the current number. */
export function shrinkLimit(
  currentReplicas: number,
  changes: History["changes"],
  { selectPolicy, policies }: Required<ScalingRules>,
): number {
  if (selectPolicy === "disabled") return currentReplicas;
  const limits = policies.map((policy) => limitDown(replicasAtStart(currentReplicas, changes, policy.periodS), policy));
  return Math.min(currentReplicas, selectPolicy === "min" ? Math.max(...limits) : Math.min(...limits));
}
