import { decideScaling } from "../decide-scaling.ts";
import { createForecastQuantiles } from "../policy/forecast-quantiles.ts";
import { createPolicyMemory } from "../policy/policy-memory.ts";
import type { ScalingPolicy } from "../policy/scaling-policy.ts";
import type { TriggerReading } from "../policy/trigger-input.ts";
import type { Trigger } from "../policy/trigger-source.ts";
import type { BacktestFleet } from "./backtest-fleet.ts";
import type { BacktestPolicy } from "./backtest-policy.ts";
import { orderUnits } from "./choose-units.ts";
import { minuteMs } from "./replay-forecasts.ts";

/** What a trigger would have said of a record of rates, with so many replicas; null where a record can't tell. */
function readRecord(trigger: Trigger, qps: number, replicas: number): number | null {
  if (trigger.kind !== "agents" || trigger.metric !== "qps") return null;
  return trigger.aggregate === "sum" ? qps : qps / Math.max(1, replicas);
}

/**
 * A policy as far as a record of rates can try it: without the triggers whose values nobody has recorded (and without the formula, fallback and
 * idle number that speak of them).
 */
export function withoutUnrecorded(policy: ScalingPolicy): { policy: ScalingPolicy; leftOut: readonly string[] } {
  const leftOut = policy.triggers.filter((trigger) => readRecord(trigger, 0, 1) === null).map(({ name }) => name);
  if (leftOut.length === 0) return { policy, leftOut };
  const { formula, fallback, idleReplicas, ...rest } = policy;
  return { policy: { ...rest, triggers: policy.triggers.filter(({ name }) => !leftOut.includes(name)) }, leftOut };
}

/** Plays a ScalingPolicy as a controller would follow it: once a minute, on the minute before and on forecasts of what came later. */
export function replayScalingPolicy(given: ScalingPolicy, fleet: BacktestFleet): BacktestPolicy {
  const { policy } = withoutUnrecorded(given);
  const order = orderUnits(fleet);
  const memory = createPolicyMemory();
  const confidence = policy.prediction?.confidence;
  const quantiles = confidence === undefined ? null : createForecastQuantiles((1 + confidence) / 2);
  let current = fleet.devices.reduce((sum, { count }) => sum + count, 0);
  return {
    decide(view) {
      const { atMs, minute } = view;
      const liveQps = minute === 0 ? null : view.rateAt(minute - 1);
      const { expectedQps } = view.forecast();
      if (liveQps !== null && quantiles !== null && expectedQps.length > 0) {
        const forecast = { madeAtMs: atMs, model: "replay", reason: "", stepMs: minuteMs, qps: [...expectedQps] };
        quantiles.observe([{ minuteStartMs: atMs - minuteMs, qps: liveQps }], forecast);
      }
      const readings = policy.triggers.map((trigger): TriggerReading => {
        const value = liveQps === null ? null : readRecord(trigger, liveQps, current);
        return { trigger: trigger.name, value, failures: 0, reason: null };
      });
      const decision = decideScaling(policy, {
        nowMs: atMs,
        currentReplicas: current,
        readings,
        ...memory.recall(atMs, current),
        loadedAgoS: minute * 60,
        liveQps,
        forecast: quantiles?.forecast(atMs) ?? null,
        missingData: [],
        warmUpLeftS: 0,
        frozen: null,
      });
      memory.note(atMs, decision);
      current = Math.min(decision.replicas, order.capacities.length);
      return order.target(current);
    },
  };
}
