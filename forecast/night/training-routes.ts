import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { NightTraining } from "./night-training.ts";

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const Status = Type.Object(
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
    last: orNull(Type.Object({ kind: Type.String(), reason: Type.String(), endedAtMs: Type.Number() })),
    activeModel: orNull(
      Type.String({ description: "null: the configured model, or the one that the program carries" }),
    ),
  },
  {
    example: {
      state: "resting",
      reason: "trained last night",
      progress: null,
      last: { kind: "trained", reason: "the new model was better by 3 %", endedAtMs: 1_795_000_000_000 },
      activeModel: null,
    },
  },
);

/** `GET /api/v1/forecast/training` and `POST /api/v1/forecast/rollback`. */
export function trainingRoutes(training: () => NightTraining) {
  return new Elysia()
    .get("/api/v1/forecast/training", () => training().status(), {
      response: Status,
      detail: {
        summary: "The training of this device's own forecasting model",
        description: "Whether it trains now, how far it is, how the last training ended, and why.",
        tags: ["agent"],
      },
    })
    .post(
      "/api/v1/forecast/rollback",
      async () => {
        await training().rollBack();
        return training().status();
      },
      {
        response: Status,
        detail: {
          summary: "Let the forecasting model before serve again",
          description: "It and the present one change places; asked twice, all is as before.",
          tags: ["agent"],
        },
      },
    );
}
