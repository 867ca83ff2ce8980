import { join } from "node:path";
import type { Registry } from "prom-client";
import { type AccuracyWindow, accuracyWindows, registerAccuracyMetrics } from "#forecast/accuracy/accuracy-metrics.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { NightTraining } from "#forecast/night/night-training.ts";
import { createTrainedModels } from "#forecast/night/trained-models.ts";
import { registerTrainingMetrics } from "#forecast/night/training-metrics.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import type { Logger } from "#platform/log.ts";
import type { HungProcesses } from "#platform/process/hung-processes.ts";
import type { RegionTariff } from "#protocol/messages.ts";
import type { AgentConfig } from "./config.ts";
import { createStoredText } from "./stored-text.ts";
import type { TrafficRecord } from "./traffic/traffic-record.ts";

export interface AgentForecastingParts {
  readonly config: Pick<AgentConfig, "forecast" | "prices" | "recordRetentionDays">;
  readonly stateDir: string;
  readonly database: StateDatabase;
  readonly storage: StorageWatch;
  readonly record: TrafficRecord;
  readonly hung: HungProcesses;
  /** True while requests wait: a training then rests. */
  readonly busy: () => boolean;
  /** Price of electricity in the device's region by the hour; null: unknown. */
  readonly tariff: () => RegionTariff | null;
  readonly metrics: Registry;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Creates the agent's forecaster, the accuracy of its forecasts, and the training of its model by night. */
export function createAgentForecasting(parts: AgentForecastingParts) {
  const { config, stateDir, database, storage, record, hung, metrics, nowMs, log } = parts;
  const { forecast } = config;
  const storedText = (name: string) => createStoredText(database, name, storage);
  const trainedModels = createTrainedModels(join(stateDir, "forecast-models"), storedText("forecast-models"));
  const treeMemory = storedText("forecast-trees");
  const forecaster = createForecaster({
    config: forecast,
    log,
    memory: storedText("forecast-champion"),
    treeMemory,
    trainedModelDir: () => trainedModels.activeDirectory(),
    onHang: (reason) => hung.record("forecast", reason),
  });
  const nightTraining = new NightTraining({
    config: forecast.training,
    timeZone: forecast.timeZone,
    holidays: forecast.holidays,
    calendar: createCalendar(forecast.timeZone, []),
    directory: join(stateDir, "forecast-training"),
    models: trainedModels,
    memory: storedText("forecast-training"),
    configuredModelDirectory: forecast.modelDir,
    history: () => record.recentRates(Math.ceil(config.recordRetentionDays * 24 * 60), nowMs()),
    recordedMinutes: () => record.recordedMinutes(),
    busy: parts.busy,
    // A price of its own holds at all hours.
    tariff: () => (config.prices.tariffUsdPerKwh === null ? parts.tariff() : null),
    onPromoted: () => forecaster.reload(),
    onTrees: (text) => treeMemory.save(text),
    onHang: (reason) => hung.record("training", reason),
    nowMs,
    log,
  });
  const accuracy = new StoredAccuracy(database, storage, (key, reason) =>
    log.warn({ key, reason }, "a stored forecast can't be read: removing it"),
  );
  const accuracyOf = (window: AccuracyWindow) => accuracy.figures(accuracyWindows[window], nowMs());
  registerAccuracyMetrics(metrics, "thormesh_forecast", accuracyOf);
  registerTrainingMetrics(metrics, nightTraining);
  return { forecaster, accuracy, nightTraining, accuracyOf };
}
