import { Counter, Gauge, type Registry } from "prom-client";
import type { NightTraining, TrainingOutcome } from "./night-training.ts";

/** Whether the device trains, how far it is, and how trainings ended. */
export function registerTrainingMetrics(metrics: Registry, training: Pick<NightTraining, "status" | "outcomes">): void {
  const registers = [metrics];
  const gauge = (name: string, help: string, read: () => number | null) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  gauge("thormesh_forecast_training_running", "1 while a forecasting model is trained, at rest or not", () =>
    training.status().state === "waiting" ? 0 : 1,
  );
  gauge(
    "thormesh_forecast_training_epoch",
    "The pass over the record that is under way; 0 while none is",
    () => training.status().progress?.epoch ?? 0,
  );
  gauge(
    "thormesh_forecast_training_loss",
    "Mean loss of the pass under way; left out while none is",
    () => training.status().progress?.loss ?? null,
  );
  const counted: Partial<Record<TrainingOutcome["kind"], number>> = {};
  new Counter({
    name: "thormesh_forecast_trainings_total",
    help: "Trainings by how they ended: promoted, kept (the model in service was no worse), failed, stopped",
    labelNames: ["outcome"],
    registers,
    collect() {
      for (const [kind, now] of Object.entries(training.outcomes()) as [TrainingOutcome["kind"], number][]) {
        this.inc({ outcome: kind }, Math.max(0, now - (counted[kind] ?? 0)));
        counted[kind] = now;
      }
    },
  });
}
