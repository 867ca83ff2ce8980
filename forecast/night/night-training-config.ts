import { type Static, Type } from "@sinclair/typebox";
import { lstmShapeNames } from "#forecast/lstm/lstm-shapes.ts";

/** When and how a device trains its own model from its own record. */
export const NightTrainingConfig = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: "train a model of this device's own traffic at night" }),
    window: Type.String({
      default: "01:00-05:00",
      pattern: "^([01]\\d|2[0-3]):[0-5]\\d-([01]\\d|2[0-3]):[0-5]\\d$",
      description: "when, in forecast.timeZone; 22:00-04:00 goes past midnight",
    }),
    minDays: Type.Number({
      default: 7,
      minimum: 0.25, // the newest 15 % of less make hardly 30 forecasts to judge by
      maximum: 365,
      description: "no training before so much was recorded",
    }),
    maxMinutes: Type.Number({
      default: 60,
      exclusiveMinimum: 0,
      maximum: 1440,
      description: "real minutes of one training; then the best so far is judged",
    }),
    units: Type.Union(
      lstmShapeNames.map((name) => Type.Literal(name)),
      { default: "small", description: "size of the network" },
    ),
    priority: Type.Union([Type.Literal("idle"), Type.Literal("normal")], {
      default: "idle",
      description:
        "idle: only when nothing else wants the cores; normal: as serving does, for a device that never rests",
    }),
    maxMemoryBytes: Type.Integer({
      default: 1_500_000_000,
      minimum: 100_000_000,
      maximum: 1_099_511_627_776,
      description: "a training process that grows beyond it is ended",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type NightTrainingConfig = Static<typeof NightTrainingConfig>;
