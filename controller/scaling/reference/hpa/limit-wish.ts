import { growthLimit, shrinkLimit } from "./limit-rate.ts";
import type { ReplicaInputs, ReplicaPolicy } from "./replica-inputs.ts";
import { completeRules } from "./scaling-rules.ts";
import { stabilise, stabiliseWithoutRules } from "./stabilise.ts";

export type ReplicaLimit = "minimum" | "maximum" | "stabilisation" | "growth-rate" | "shrink-rate" | "failed-metric";

export type LimitPolicy = Pick<ReplicaPolicy, "minReplicas" | "maxReplicas" | "behavior" | "legacyScaleUpLimit">;

interface Limited {
  readonly replicas: number;
  readonly limitedBy: readonly ReplicaLimit[];
}

/** Stabilises, limits the rate and clamps, each noted where it changed something. */
export function limitWish(
  wish: number,
  {
    policy,
    currentReplicas,
    history,
  }: Pick<ReplicaInputs, "currentReplicas" | "history"> & { readonly policy: LimitPolicy },
): Limited {
  const { minReplicas, maxReplicas, legacyScaleUpLimit } = policy;
  const limitedBy: ReplicaLimit[] = [];
  const pass = (before: number, after: number, limit: ReplicaLimit) => {
    if (after !== before) limitedBy.push(limit);
    return after;
  };
  const clamp = (value: number) => {
    const atMost = pass(value, Math.min(value, maxReplicas), "maximum");
    return pass(atMost, Math.max(atMost, minReplicas), "minimum");
  };
  if (legacyScaleUpLimit !== undefined) {
    const stable = pass(wish, stabiliseWithoutRules(wish, history.recommendations), "stabilisation");
    const cap = Math.trunc(Math.max(legacyScaleUpLimit.factor * currentReplicas, legacyScaleUpLimit.minimum));
    return { replicas: clamp(pass(stable, Math.min(stable, cap), "growth-rate")), limitedBy };
  }
  const { up, down } = completeRules(policy);
  const windows = { upS: up.stabilizationWindowS, downS: down.stabilizationWindowS };
  const stable = pass(wish, stabilise(wish, currentReplicas, history.recommendations, windows), "stabilisation");
  const bounded =
    stable > currentReplicas
      ? pass(stable, Math.min(stable, growthLimit(currentReplicas, history.changes, up)), "growth-rate")
      : pass(stable, Math.max(stable, shrinkLimit(currentReplicas, history.changes, down)), "shrink-rate");
  return { replicas: clamp(bounded), limitedBy };
}
