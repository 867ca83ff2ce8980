import type { Registry } from "prom-client";
import { registerGauge, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { NightTraining } from "./night-training.ts";

/** Registers metrics of the running training and of the outcomes so far. */
export function registerTrainingMetrics(metrics: Registry, training: Pick<NightTraining, "status" | "outcomes">): void {
  registerGauge(
    metrics,
    "thormesh_forecast_training_running",
    "1 while a forecasting model is being trained, even if paused",
    () => (training.status().state === "waiting" ? 0 : 1),
  );
  registerGauge(
    metrics,
    "thormesh_forecast_training_epoch",
    "Current pass over the record; 0 while no training runs",
    () => training.status().progress?.epoch ?? 0,
  );
  registerGauge(
    metrics,
    "thormesh_forecast_training_loss",
    "Mean loss of the current pass; absent while no training runs",
    () => training.status().progress?.loss ?? null,
  );
  registerTotals(
    metrics,
    "thormesh_forecast_trainings_total",
    "Trainings by outcome: promoted, kept (the new model was not better), failed, stopped",
    ["outcome"],
    () => Object.entries(training.outcomes()).map(([outcome, count]) => [{ outcome }, count] as const),
  );
}
