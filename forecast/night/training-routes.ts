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
      activeModel: null,
    },
  },
);

/** Serves `GET /api/v1/forecast/training` and `POST /api/v1/forecast/rollback`. */
export function trainingRoutes(training: () => NightTraining) {
  return new Elysia()
    .get("/api/v1/forecast/training", () => training().status(), {
      response: Status,
      detail: {
        summary: "Training of this device's own forecasting model",
        description: "Whether a training runs, its progress, and the outcome of the last one with the reason.",
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
          summary: "Put the previous forecasting model back into service",
          description: "It and the current one change places; a second call undoes the first.",
          tags: ["agent"],
        },
      },
    );
}
