import type { History, ReplicaInputs, ReplicaPolicy, ScalingRules } from "./replica-inputs.ts";

export type ReplicaLimit = "minimum" | "maximum" | "stabilisation" | "growth-rate" | "shrink-rate" | "failed-metric";

type LimitInputs = Pick<ReplicaInputs, "currentReplicas" | "history"> & {
  readonly policy: Pick<ReplicaPolicy, "minReplicas" | "maxReplicas" | "behavior" | "legacyScaleUpLimit">;
};

const defaultUp: Required<ScalingRules> = {
  stabilizationWindowS: 0,
  selectPolicy: "max",
  policies: [
    { type: "count", value: 4, periodS: 15 },
    { type: "percent", value: 100, periodS: 15 },
  ],
};

const defaultDown: Required<ScalingRules> = {
  stabilizationWindowS: 300,
  selectPolicy: "max",
  policies: [{ type: "percent", value: 100, periodS: 15 }],
};

/**
 * Stabilises a proposal: growth goes no further than the lowest proposal of the up window, shrinking no further than the highest of the
 * down window. Only records strictly younger than the window count.
 */
function stabilise(
  proposed: number,
  currentReplicas: number,
  recommendations: History["recommendations"],
  upS: number,
  downS: number,
): number {
  let low = proposed;
  let high = proposed;
  for (const { agoS, replicas } of recommendations) {
    if (agoS < upS) low = Math.min(low, replicas);
    if (agoS < downS) high = Math.max(high, replicas);
  }
  return Math.min(Math.max(currentReplicas, low), high);
}

type RatePolicy = Required<ScalingRules>["policies"][number];

/** Number of replicas when the period began; only changes strictly younger than it count. */
function replicasAtStart(currentReplicas: number, changes: History["changes"], periodS: number): number {
  return changes.reduce((start, { agoS, delta }) => (agoS < periodS ? start - delta : start), currentReplicas);
}

// The arithmetic is that of 64-bit floats on purpose: 100 * (1 + 10 / 100) is a little above 110 and ends at 111.
const limitUp = (start: number, { type, value }: RatePolicy) =>
  type === "count" ? start + value : Math.ceil(start * (1 + value / 100));
const limitDown = (start: number, { type, value }: RatePolicy) =>
  type === "count" ? start - value : Math.trunc(start * (1 - value / 100));

/** Maximum of replicas now; at least the current number. */
function growthLimit(
  currentReplicas: number,
  changes: History["changes"],
  { selectPolicy, policies }: Required<ScalingRules>,
): number {
  if (selectPolicy === "disabled") return currentReplicas;
  const limits = policies.map((policy) => limitUp(replicasAtStart(currentReplicas, changes, policy.periodS), policy));
  return Math.max(currentReplicas, selectPolicy === "min" ? Math.min(...limits) : Math.max(...limits));
}

/** Minimum of replicas now; at most the current number. */
function shrinkLimit(
  currentReplicas: number,
  changes: History["changes"],
  { selectPolicy, policies }: Required<ScalingRules>,
): number {
  if (selectPolicy === "disabled") return currentReplicas;
  const limits = policies.map((policy) => limitDown(replicasAtStart(currentReplicas, changes, policy.periodS), policy));
  return Math.min(currentReplicas, selectPolicy === "min" ? Math.max(...limits) : Math.min(...limits));
}

/** Stabilises a proposal, limits the rate of change and clamps; lists the steps that changed something. */
export function limitProposal(
  proposed: number,
  { policy, currentReplicas, history }: LimitInputs,
): { readonly replicas: number; readonly limitedBy: readonly ReplicaLimit[] } {
  const { minReplicas, maxReplicas, legacyScaleUpLimit } = policy;
  const limitedBy: ReplicaLimit[] = [];
  const pass = (before: number, after: number, limit: ReplicaLimit) => {
    if (after !== before) limitedBy.push(limit);
    return after;
  };
  const clamp = (value: number) => {
    const upper = pass(value, Math.min(value, maxReplicas), "maximum");
    return pass(upper, Math.max(upper, minReplicas), "minimum");
  };
  if (legacyScaleUpLimit !== undefined) {
    // Without rules: the highest proposal of the last 300 s, the end of that time included.
    const recent = history.recommendations.filter(({ agoS }) => agoS <= 300).map(({ replicas }) => replicas);
    const stable = pass(proposed, Math.max(proposed, ...recent), "stabilisation");
    const cap = Math.trunc(Math.max(legacyScaleUpLimit.factor * currentReplicas, legacyScaleUpLimit.minimum));
    return { replicas: clamp(pass(stable, Math.min(stable, cap), "growth-rate")), limitedBy };
  }
  // Keys that a policy leaves out have HPA's defaults.
  const up = { ...defaultUp, ...policy.behavior?.scaleUp };
  const down = { ...defaultDown, ...policy.behavior?.scaleDown };
  const { recommendations } = history;
  const [upS, downS] = [up.stabilizationWindowS, down.stabilizationWindowS];
  const stable = pass(proposed, stabilise(proposed, currentReplicas, recommendations, upS, downS), "stabilisation");
  const bounded =
    stable > currentReplicas
      ? pass(stable, Math.min(stable, growthLimit(currentReplicas, history.changes, up)), "growth-rate")
      : pass(stable, Math.max(stable, shrinkLimit(currentReplicas, history.changes, down)), "shrink-rate");
  return { replicas: clamp(bounded), limitedBy };
}
