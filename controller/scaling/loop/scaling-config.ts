import { type Static, Type } from "@sinclair/typebox";
import { recentMinutes } from "#controller/fleet/agent-state.ts";
import { CapacityConfig } from "#controller/scaling/actuators/capacity-config.ts";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { PlanConfig } from "#controller/scaling/apply-plan/plan-config.ts";
import { DisruptionBudget } from "./disruption-budget.ts";

/** How the number of active agents follows the traffic. Rates are texts a second of the clock's time. */
export const ScalingConfig = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: "false: decisions are made and recorded, but not acted on" }),
    policy: Type.Union([Type.Literal("active-agents"), Type.Literal("fleet-plan")], {
      default: "active-agents",
      description: "by the peak that is forecast, or by the cheapest plan for the coming minutes, power modes included",
    }),
    plan: PlanConfig,
    policyFile: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
      default: null,
      description: "a ScalingPolicy (docs/scaling-policy.md), read again when it changes; it says how many serve",
    }),
    intervalMs: Type.Integer({
      default: 60_000,
      minimum: 1000,
      maximum: 86_400_000,
      description: "time between two decisions",
    }),
    offsetMs: Type.Integer({
      default: 10_000,
      minimum: 0,
      maximum: 86_400_000,
      description: "how long after the minute a decision is made, so that the minute's records have arrived",
    }),
    warmUpMs: Type.Integer({
      default: 120_000,
      minimum: 0,
      maximum: 86_400_000,
      description: "after a start the fleet is only listened to for this long",
    }),
    capacityPerReplicaQps: Type.Number({
      default: 350,
      exclusiveMinimum: 0,
      maximum: 1_000_000,
      description: "what one agent carries",
    }),
    targetUtilization: Type.Number({ default: 0.8, exclusiveMinimum: 0, maximum: 1 }),
    minReplicas: Type.Integer({ default: 2, minimum: 1, maximum: 100_000 }),
    maxReplicas: Type.Integer({ default: 20, minimum: 1, maximum: 100_000 }),
    tolerance: Type.Number({
      default: 0.2,
      minimum: 0,
      maximum: 100,
      description: "a change by no more than this share is not worth acting on",
    }),
    maxScaleUpFactor: Type.Number({
      default: 2,
      exclusiveMinimum: 1,
      maximum: 100_000,
      description: "the most that one decision adds",
    }),
    stabilizationMs: Type.Integer({
      default: 600_000,
      minimum: 0,
      maximum: 86_400_000,
      description: "agents are put on standby only when the highest need of this long allows it",
    }),
    horizonMinutes: Type.Integer({ default: 15, minimum: 1, maximum: 240, description: "how far the forecast counts" }),
    liveWindowMinutes: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: recentMinutes,
      description:
        "the present rate is the mean of so many minutes; more than one where a minute has only a handful of requests",
    }),
    confirmWithinMs: Type.Integer({
      default: 120_000,
      minimum: 1000,
      maximum: 86_400_000,
      description: "an agent that was told to serve and has not reported it for this long is replaced",
    }),
    avoidForMs: Type.Integer({
      default: 180_000,
      minimum: 0,
      maximum: 86_400_000,
      description: "and left out for this long",
    }),
    budget: DisruptionBudget,
    capacity: CapacityConfig,
    cloud: CloudConfig,
    maxDataAgeMs: Type.Integer({
      default: 180_000,
      minimum: 60_000,
      maximum: 86_400_000,
      description: "an online agent whose newest minute is older than this makes the picture incomplete",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type ScalingConfig = Static<typeof ScalingConfig>;
