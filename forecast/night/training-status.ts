import { Type } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { orNull } from "#platform/schema-parts.ts";
import { HourPrices } from "./hour-prices.ts";

/** Outcome of the last training, as it is stored. */
export const TrainingOutcome = Type.Object({
  kind: Type.Union([Type.Literal("promoted"), Type.Literal("kept"), Type.Literal("failed"), Type.Literal("stopped")]),
  reason: Type.String({ maxLength: 4096 }),
  endedAtMs: Type.Number({ minimum: 0, maximum: 4_102_444_800_000 }),
});
export type TrainingOutcome = ReadonlyStatic<typeof TrainingOutcome>;

export const TrainingStatus = Type.Object(
  {
    state: Type.Union([Type.Literal("waiting"), Type.Literal("training"), Type.Literal("resting")]),
    reason: Type.String(),
    progress: orNull(
      Type.Object({
        epoch: Type.Integer(),
        batch: Type.Integer(),
        batches: Type.Integer(),
        loss: orNull(Type.Number()),
        validationLoss: orNull(Type.Number()),
        rssBytes: orNull(Type.Number()),
        pid: Type.Integer(),
      }),
    ),
    last: orNull(Type.Object({ ...TrainingOutcome.properties, reason: Type.String() })),
    electricity: orNull(HourPrices, "null: outside the window, while training, or if its hourly price is unknown"),
    activeModel: orNull(Type.String({ description: "directory; null: the configured or built-in model" })),
  },
  {
    example: {
      state: "waiting",
      reason: "this night's training is done",
      progress: null,
      last: {
        kind: "promoted",
        reason: "WAPE 27.10 % against 28.40 % of the model in service on 6000 held-out forecasts",
        endedAtMs: 1_795_000_000_000,
      },
      electricity: {
        nowUsdPerKwh: 0.31,
        later: { startMs: 1_795_003_200_000, usdPerKwh: 0.19 },
      },
      activeModel: null,
    },
  },
);
export type TrainingStatus = ReadonlyStatic<typeof TrainingStatus>;
