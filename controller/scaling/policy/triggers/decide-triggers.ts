import { decideReplicas, type ReplicaDecision } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import type { ReplicaLimit } from "#controller/scaling/reference/hpa/limit-proposal.ts";
import type { TriggerObservation } from "./trigger-input.ts";
import type { TriggerPolicy, TriggerTarget } from "./trigger-rules.ts";
import { type TriggerValue, triggerValues } from "./trigger-values.ts";

export interface TriggerDecision {
  /** values: HPA's rules made the number of the values (`hpaRule` says by which); the others are about no replicas, idle ones, or the minimum. */
  readonly rule: "active" | "fallback" | "unknown" | "inactive" | "cooled-down" | "below-minimum" | "values";
  readonly hpaRule: ReplicaDecision["rule"] | null;
  readonly replicas: number;
  /** True when any trigger is active; where there may be no replica, this decides between none and some. */
  readonly active: boolean;
  readonly activeTriggers: readonly string[];
  /** True when a trigger could not be read and no fallback took its place: the number of replicas does not fall then. */
  readonly metricFailed: boolean;
  /** Triggers that fail and are replaced by the fallback. */
  readonly fallbacks: readonly string[];
  /** Count that the triggers ask for, before stabilisation and limits; null when they can't say. */
  readonly proposed: number | null;
  readonly limitedBy: readonly ReplicaLimit[];
  readonly proposals: ReplicaDecision["proposals"];
  readonly values: readonly TriggerValue[];
}

export type TriggersAsked = Omit<TriggerPolicy, "triggers"> & { readonly triggers: readonly TriggerTarget[] };

/** Applies HPA's rules to the values; KEDA leaves this part to it, with a minimum of one. */
function scaleByValues(policy: TriggersAsked, values: readonly TriggerValue[], observation: TriggerObservation) {
  const { maxReplicas, toleranceUp, toleranceDown } = policy;
  const { currentReplicas, readyReplicas = currentReplicas } = observation;
  return decideReplicas({
    policy: {
      minReplicas: Math.max(1, policy.minReplicas),
      ...{ maxReplicas, toleranceUp, toleranceDown, initializationPeriodS: 0, initialReadinessDelayS: 0 },
      metrics: values.map(({ name, target, metricType }) => ({
        kind: "external" as const,
        name,
        ...(metricType === "average" ? { targetAverageValue: target } : { targetValue: target }),
      })),
      ...(policy.behavior === undefined ? {} : { behavior: policy.behavior }),
    },
    currentReplicas,
    replicas: Array.from({ length: Math.min(readyReplicas, currentReplicas) }, (_, index) => ({
      id: String(index),
      phase: "running" as const,
      ready: true,
    })),
    samples: values.map(({ name, counted }) => ({ metric: name, value: counted })),
    failedMetrics: values.filter(({ counted }) => counted === null).map(({ name }) => name),
    history: observation.history,
  });
}

/**
 * Decides how many replicas the triggers ask for, by KEDA's rules: a trigger is active strictly above its activation threshold; where there
 * may be none (or `idleReplicas` are configured), no active trigger leads there after the cooldown, and an active one back to the minimum; in
 * between HPA's rules make the number of the values. A trigger that failed more than `failureThreshold` times in a row asks for the
 * fallback's replicas. Unlike in KEDA, a trigger that can't be read never lets the number fall: an outage of the metrics is no lack of load.
 */
export function decideTriggers(policy: TriggersAsked, observation: TriggerObservation): TriggerDecision {
  const { minReplicas, maxReplicas, idleReplicas, cooldownS, initialCooldownS } = policy;
  const { currentReplicas, lastActiveAgoS, loadedAgoS } = observation;
  const values = triggerValues(policy, observation);
  const activeTriggers = values.filter(({ active }) => active).map(({ name }) => name);
  const active = activeTriggers.length > 0;
  const failing = values.filter(({ counted }) => counted === null);
  const fallbacks = values.filter((value) => value.fallbackReplicas !== null);
  const asked = {
    active,
    activeTriggers,
    metricFailed: failing.length > 0,
    fallbacks: fallbacks.map(({ name }) => name),
    values,
  };
  const settle = (rule: TriggerDecision["rule"], replicas: number): TriggerDecision => ({
    ...asked,
    ...{ rule, hpaRule: null, replicas, proposed: replicas, limitedBy: [], proposals: [] },
  });

  const restsAt = idleReplicas ?? (minReplicas === 0 ? 0 : null);
  if (restsAt !== null) {
    const resting = currentReplicas <= restsAt;
    if (active && (currentReplicas === 0 || (idleReplicas !== undefined && currentReplicas < minReplicas))) {
      return settle("active", Math.min(Math.max(1, minReplicas), maxReplicas));
    }
    if (!active) {
      // All that fail have the same fallback.
      const fallbackReplicas = fallbacks[0]?.fallbackReplicas ?? null;
      if (fallbackReplicas !== null && resting) {
        return settle("fallback", Math.min(Math.max(fallbackReplicas, restsAt), maxReplicas));
      }
      if (failing.length > 0 && resting) return { ...settle("unknown", currentReplicas), proposed: null };
      if (resting) return settle("inactive", restsAt);
      const isOver =
        lastActiveAgoS === null
          ? initialCooldownS === 0 || loadedAgoS === null || loadedAgoS > initialCooldownS
          : lastActiveAgoS > cooldownS;
      if (failing.length === 0 && fallbacks.length === 0 && isOver) return settle("cooled-down", restsAt);
    }
  } else if (currentReplicas < minReplicas) {
    return settle("below-minimum", minReplicas);
  }
  const { rule, replicas, proposed, limitedBy, proposals, metricFailed } = scaleByValues(policy, values, observation);
  return { ...asked, rule: "values", hpaRule: rule, replicas, metricFailed, proposed, limitedBy, proposals };
}
