import { decideReplicas, type ReplicaDecision } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import type { ReplicaLimit } from "#controller/scaling/reference/hpa/limit-wish.ts";
import type { TriggerObservation } from "./trigger-input.ts";
import type { TriggerPolicy, TriggerTarget } from "./trigger-rules.ts";
import { type TriggerValue, triggerValues } from "./trigger-values.ts";

export interface TriggerDecision {
  readonly replicas: number;
  /** Whether any trigger is active; where there may be no replica, this is what decides between none and some. */
  readonly active: boolean;
  readonly activeTriggers: readonly string[];
  /** True when a trigger could not be read and no fallback took its place: the number of replicas does not fall then. */
  readonly metricFailed: boolean;
  /** Triggers that fail, for which the fallback speaks. */
  readonly fallbacks: readonly string[];
  /** What the triggers ask for, before stabilisation and limits; null when they can't say. */
  readonly wish: number | null;
  readonly limitedBy: readonly ReplicaLimit[];
  readonly proposals: ReplicaDecision["proposals"];
  readonly values: readonly TriggerValue[];
  readonly reason: string;
}

type Policy = Omit<TriggerPolicy, "triggers"> & { readonly triggers: readonly TriggerTarget[] };

/** What HPA makes of the values; KEDA leaves this part to it, with a minimum of one. */
function scaleByValues(policy: Policy, values: readonly TriggerValue[], observation: TriggerObservation) {
  const { currentReplicas, readyReplicas = currentReplicas } = observation;
  return decideReplicas({
    policy: {
      minReplicas: Math.max(1, policy.minReplicas),
      maxReplicas: policy.maxReplicas,
      toleranceUp: policy.toleranceUp,
      toleranceDown: policy.toleranceDown,
      initializationPeriodS: 0,
      initialReadinessDelayS: 0,
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
    samples: values.flatMap(({ name, counted }) => (counted === null ? [] : [{ metric: name, value: counted }])),
    failedMetrics: values.filter(({ counted }) => counted === null).map(({ name }) => name),
    history: observation.history,
  });
}

/**
 * How many replicas the triggers ask for, by KEDA's rules: a trigger is active strictly above its activation threshold; where there may be
 * none (or `idleReplicas` are configured), no active trigger leads there after the cooldown, and an active one back to the minimum; in
 * between HPA's rules make the number of the values. A trigger that failed more than `failureThreshold` times in a row asks for the
 * fallback's replicas. Unlike KEDA's, a trigger that can't be read never lets the number fall: an outage of the metrics is no lack of load.
 */
export function decideTriggers(policy: Policy, observation: TriggerObservation): TriggerDecision {
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
  const settle = (replicas: number, reason: string): TriggerDecision => ({
    ...asked,
    replicas,
    wish: replicas,
    limitedBy: [],
    proposals: [],
    reason,
  });
  const fewest = Math.max(1, minReplicas);
  const why = activeTriggers.map((name) => {
    const value = values.find((each) => each.name === name);
    return `${name} is ${value?.value}, above ${value?.activation}`;
  });

  const restsAt = idleReplicas ?? (minReplicas === 0 ? 0 : null);
  if (restsAt !== null) {
    const resting = currentReplicas <= restsAt;
    if (active && (currentReplicas === 0 || (idleReplicas !== undefined && currentReplicas < minReplicas))) {
      return settle(Math.min(fewest, maxReplicas), `active: ${why.join("; ")}`);
    }
    if (!active) {
      const [fallback] = fallbacks.toSorted((a, b) => (b.fallbackReplicas ?? 0) - (a.fallbackReplicas ?? 0));
      if (fallback !== undefined && resting) {
        const replicas = Math.min(Math.max(fallback.fallbackReplicas ?? 0, restsAt), maxReplicas);
        return settle(replicas, `${fallback.name} fails (${fallback.fault}): the fallback asks for ${replicas}`);
      }
      if (failing.length > 0 && resting) {
        const faults = failing.map(({ name, fault }) => `${name}: ${fault}`).join("; ");
        return { ...settle(currentReplicas, `stays at ${currentReplicas}: not known is ${faults}`), wish: null };
      }
      if (resting) return settle(restsAt, `no trigger is active: ${restsAt}`);
      const isOver =
        lastActiveAgoS === null
          ? initialCooldownS === 0 || loadedAgoS === null || loadedAgoS > initialCooldownS
          : lastActiveAgoS > cooldownS;
      if (failing.length === 0 && fallbacks.length === 0 && isOver) {
        const since = lastActiveAgoS === null ? "" : ` for ${Math.floor(lastActiveAgoS)} s`;
        return settle(restsAt, `no trigger is active${since}, longer than the cooldown: ${restsAt}`);
      }
    }
  } else if (currentReplicas < minReplicas) {
    return settle(minReplicas, `${currentReplicas} are fewer than the minimum of ${minReplicas}`);
  }
  const { replicas, wish, limitedBy, proposals, reason, metricFailed } = scaleByValues(policy, values, observation);
  const faults = values.filter(({ fault }) => fault !== null).map(({ name, fault }) => `; ${name}: ${fault}`);
  return { ...asked, replicas, metricFailed, wish, limitedBy, proposals, reason: `${reason}${faults.join("")}` };
}
