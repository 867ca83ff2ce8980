import { minuteMs } from "#platform/time.ts";
import { decideScaling } from "./decide-scaling.ts";
import { explainScaling } from "./explain-scaling.ts";
import { createPolicyMemory } from "./policy-memory.ts";
import { ForecastQuantiles, quantileFor } from "./prediction/forecast-quantiles.ts";
import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import type { TriggerReading } from "./triggers/trigger-input.ts";
import type { Trigger } from "./triggers/trigger-source.ts";

/** Returns what a trigger would have read at a recorded rate, with this number of replicas; null where a record can't tell. */
function readRecord(trigger: Trigger, qps: number, replicas: number): number | null {
  if (trigger.kind !== "agents" || trigger.metric !== "qps") return null;
  return trigger.aggregate === "sum" ? qps : qps / Math.max(1, replicas);
}

/**
 * Returns a policy as far as a record of rates can try it: without the triggers whose values are not on record (and without the formula,
 * fallback and idle number that depend on them).
 */
export function withoutUnrecorded(policy: ScalingPolicy): { policy: ScalingPolicy; leftOut: readonly string[] } {
  const leftOut = policy.triggers.filter((trigger) => readRecord(trigger, 0, 1) === null).map(({ name }) => name);
  if (leftOut.length === 0) return { policy, leftOut };
  const { formula, fallback, idleReplicas, ...rest } = policy;
  return { policy: { ...rest, triggers: policy.triggers.filter(({ name }) => !leftOut.includes(name)) }, leftOut };
}

export interface PlayedMinute {
  readonly atMs: number;
  /** Number of replicas at that time. */
  readonly replicas: number;
  /** Rate of the minute before; null when it is unknown. */
  readonly liveQps: number | null;
  /** Rates that were then expected of the coming minutes; empty without a forecast. */
  readonly expectedQps: readonly number[];
}

/** Plays a policy on recorded traffic as a controller would follow it: asked once a minute, in order. */
export function playScalingPolicy(
  given: ScalingPolicy,
): (minute: PlayedMinute) => { readonly decision: ScalingDecision; explain(): string } {
  const { policy } = withoutUnrecorded(given);
  const memory = createPolicyMemory();
  const confidence = policy.prediction?.confidence;
  const quantiles = confidence === undefined ? null : new ForecastQuantiles(quantileFor(confidence));
  let firstMs: number | null = null;
  return ({ atMs, replicas, liveQps, expectedQps }) => {
    firstMs ??= atMs;
    if (liveQps !== null && quantiles !== null && expectedQps.length > 0) {
      const forecast = { madeAtMs: atMs, model: "replay", reason: "", stepMs: minuteMs, qps: [...expectedQps] };
      quantiles.observe([{ minuteStartMs: atMs - minuteMs, qps: liveQps }], forecast);
    }
    const readings = policy.triggers.map((trigger): TriggerReading => {
      const value = liveQps === null ? null : readRecord(trigger, liveQps, replicas);
      return { trigger: trigger.name, value, failures: 0, reason: null };
    });
    const seen: ScalingObservation = {
      nowMs: atMs,
      currentReplicas: replicas,
      readings,
      ...memory.recall(atMs, replicas),
      loadedAgoS: (atMs - firstMs) / 1000,
      liveQps,
      forecast: quantiles?.forecast(atMs) ?? null,
      missingData: [],
      warmUpLeftS: 0,
      frozen: null,
    };
    const decision = decideScaling(policy, seen);
    memory.note(atMs, decision);
    return { decision, explain: () => explainScaling(decision, policy, seen) };
  };
}
