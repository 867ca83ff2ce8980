import type { Registry } from "prom-client";
import { registerGauge, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { NightTraining } from "./night-training.ts";

/** Whether the device trains, how far it is, and how trainings ended. */
export function registerTrainingMetrics(metrics: Registry, training: Pick<NightTraining, "status" | "outcomes">): void {
  registerGauge(
    metrics,
    "thormesh_forecast_training_running",
    "1 while a forecasting model is trained, at rest or not",
    () => (training.status().state === "waiting" ? 0 : 1),
  );
  registerGauge(
    metrics,
    "thormesh_forecast_training_epoch",
    "The pass over the record that is under way; 0 while none is",
    () => training.status().progress?.epoch ?? 0,
  );
  registerGauge(
    metrics,
    "thormesh_forecast_training_loss",
    "Mean loss of the pass under way; left out while none is",
    () => training.status().progress?.loss ?? null,
  );
  registerTotals(
    metrics,
    "thormesh_forecast_trainings_total",
    "Trainings by how they ended: promoted, kept (the model in service was no worse), failed, stopped",
    ["outcome"],
    () => Object.entries(training.outcomes()).map(([outcome, count]) => [{ outcome }, count] as const),
  );
}
