import { type Static, Type } from "@sinclair/typebox";
import { number } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { PredictionRules } from "./prediction/prediction-rules.ts";
import { Schedule } from "./schedules/schedule.ts";
import { triggerRules } from "./triggers/trigger-rules.ts";
import { Trigger } from "./triggers/trigger-source.ts";

const count = { minimum: 0, maximum: 1_000_000 } as const;

const Pause = strictObject({
  kind: Type.Union([Type.Literal("hold"), Type.Literal("at"), Type.Literal("scale-in"), Type.Literal("scale-out")], {
    description: "hold: no change; at: go to `replicas` and stay; scale-in, scale-out: nothing in this direction",
  }),
  replicas: Type.Optional(Type.Integer({ ...count, description: "with at" })),
});

/** Policy for how many agents serve: one file, read at the start and whenever it changes. docs/scaling-policy.md has the order of its parts. */
export const ScalingPolicy = strictObject({
  kind: Type.Optional(Type.Literal("ScalingPolicy")),
  name: Type.String({ minLength: 1, maxLength: 64, default: "default" }),
  mode: Type.Union([Type.Literal("act"), Type.Literal("preview")], {
    default: "act",
    description: "preview: decisions are recorded but not carried out",
  }),
  minReplicas: Type.Integer({
    ...count,
    default: 2,
    description: "minimum; only idleReplicas and a pause go below it",
  }),
  maxReplicas: Type.Integer({ ...count, default: 20, minimum: 1, description: "maximum; nothing goes above it" }),
  capacityPerReplicaQps: Type.Number({
    default: 350,
    exclusiveMinimum: 0,
    description: "rate that one replica carries",
  }),
  targetUtilization: Type.Number({ default: 0.8, exclusiveMinimum: 0, maximum: 1 }),
  load: Type.Boolean({ default: true, description: "true: the fleet's present rate counts" }),
  prediction: Type.Optional(PredictionRules),
  schedules: Type.Array(Schedule, { default: [], maxItems: 1000 }),
  triggers: Type.Array(Trigger, { default: [], maxItems: 100 }),
  pollingIntervalS: number(30, [1, 3600], "how often triggers are queried"),
  ...triggerRules,
  pause: Type.Optional(Pause),
});
export type ScalingPolicy = Static<typeof ScalingPolicy>;
