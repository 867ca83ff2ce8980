import { type Static, Type } from "@sinclair/typebox";
import { lstmShapeNames } from "#forecast/lstm/lstm-shapes.ts";
import { integer, number } from "#platform/config-fields.ts";

/** Training of a device's own model from its own record. */
export const NightTrainingConfig = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: "train a model of this device's own traffic at night" }),
    window: Type.String({
      default: "01:00-05:00",
      pattern: "^([01]\\d|2[0-3]):[0-5]\\d-([01]\\d|2[0-3]):[0-5]\\d$",
      description: "hours of the training, in forecast.timeZone; may go past midnight, as in 22:00-04:00",
    }),
    // The newest 15 % of less than a quarter of a day make hardly 30 forecasts to judge by.
    minDays: number(7, [0.25, 365], "days of recorded traffic that a training needs"),
    maxMinutes: Type.Number({
      default: 60,
      exclusiveMinimum: 0,
      maximum: 1440,
      description: "maximum minutes of one training; then the best model so far is judged",
    }),
    units: Type.Union(
      lstmShapeNames.map((name) => Type.Literal(name)),
      { default: "small", description: "size of the network" },
    ),
    priority: Type.Union([Type.Literal("idle"), Type.Literal("normal")], {
      default: "idle",
      description: "idle: only on otherwise unused cores; normal: like serving, for a device that is never idle",
    }),
    maxMemoryBytes: integer(
      1_500_000_000,
      [100_000_000, 1_099_511_627_776],
      "memory at which a training process is ended",
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description:
      "Training at night, in its own process: it pauses while requests wait, continues from a checkpoint, and its model is used only if it beats the present one on the newest part of the record.",
  },
);
export type NightTrainingConfig = Static<typeof NightTrainingConfig>;
