import { type Static, Type } from "@sinclair/typebox";
import { recentMinutes } from "#controller/fleet/agent-state.ts";
import { CapacityConfig } from "#controller/scaling/actuators/capacity-config.ts";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { PlanConfig } from "#controller/scaling/apply-plan/plan-config.ts";
import { integer, number, orNull } from "#platform/config-fields.ts";
import { DisruptionBudget } from "./disruption-budget.ts";

/** Settings by which the number of active agents follows the traffic. Rates are texts per second of the clock's time. */
export const ScalingConfig = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: "false: decisions are made and recorded, but not carried out",
    }),
    policy: Type.Union([Type.Literal("active-agents"), Type.Literal("fleet-plan")], {
      default: "active-agents",
      description:
        "active-agents: by the forecast peak; fleet-plan: by the cheapest plan for the coming minutes, power modes included",
    }),
    plan: PlanConfig,
    policyFile: orNull(
      Type.String({ minLength: 1, maxLength: 4096 }),
      "a ScalingPolicy (docs/scaling-policy.md) that bounds the number of agents, reloaded when it changes; null: none",
    ),
    intervalMs: integer(60_000, [1000, 86_400_000], "time between two decisions"),
    offsetMs: integer(
      10_000,
      [0, 86_400_000],
      "how long after a minute's end a decision is made, so that the minute's records have arrived",
    ),
    warmUpMs: integer(120_000, [0, 86_400_000], "after a start the controller only observes the fleet for this long"),
    capacityPerReplicaQps: Type.Number({
      default: 350,
      exclusiveMinimum: 0,
      maximum: 1_000_000,
      description: "texts per second that an agent carries if its board has no figure",
    }),
    targetUtilization: Type.Number({
      default: 0.8,
      exclusiveMinimum: 0,
      maximum: 1,
      description: "share of capacity that the expected traffic may use",
    }),
    minReplicas: integer(2, [1, 100_000], "minimum number of active agents"),
    maxReplicas: integer(20, [1, 100_000], "maximum number of active agents"),
    tolerance: number(0.2, [0, 100], "changes up to this share of the active agents are not made"),
    maxScaleUpFactor: Type.Number({
      default: 2,
      exclusiveMinimum: 1,
      maximum: 100_000,
      description: "maximum factor by which one decision raises the number of agents",
    }),
    stabilizationMs: integer(
      600_000,
      [0, 86_400_000],
      "agents are put on standby only if the highest need within this time allows it",
    ),
    horizonMinutes: integer(15, [1, 240], "number of minutes of the forecast that count"),
    liveWindowMinutes: integer(
      1,
      [1, recentMinutes],
      "number of minutes averaged for the present rate; use more than one for traffic of a few requests per minute",
    ),
    confirmWithinMs: integer(
      120_000,
      [1000, 86_400_000],
      "an agent that was told to serve and has not reported it for this long is replaced",
    ),
    avoidForMs: integer(180_000, [0, 86_400_000], "an agent replaced for not reporting is not used for this long"),
    budget: DisruptionBudget,
    capacity: CapacityConfig,
    cloud: CloudConfig,
    maxDataAgeMs: integer(
      180_000,
      [60_000, 86_400_000],
      "an online agent whose newest minute is older than this makes the picture incomplete",
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description: "Number and choice of the active agents. Rates are texts per second.",
  },
);
export type ScalingConfig = Static<typeof ScalingConfig>;
