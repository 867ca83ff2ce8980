import { Elysia } from "elysia";
import type { NightTraining } from "./night-training.ts";
import { TrainingStatus } from "./training-status.ts";

/** Serves `GET /api/v1/forecast/training` and `POST /api/v1/forecast/rollback`. */
export function trainingRoutes(training: () => Pick<NightTraining, "status" | "rollBack">) {
  return new Elysia()
    .get("/api/v1/forecast/training", () => training().status(), {
      response: TrainingStatus,
      detail: {
        summary: "Training of this device's own forecasting model",
        description: "The present training and its progress, and the outcome of the last one with the reason.",
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
        response: TrainingStatus,
        detail: {
          summary: "Put the previous forecasting model back into service",
          description: "It changes places with the current one; a second call undoes the first.",
          tags: ["agent"],
        },
      },
    );
}
