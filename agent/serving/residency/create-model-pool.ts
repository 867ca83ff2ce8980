import { createAvailableModels, modelPlaces } from "#agent/serving/models/available-models.ts";
import { createFingerprintStore } from "#agent/serving/models/files/fingerprint-store.ts";
import { onnxChoice } from "#agent/serving/models/find-model.ts";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { settingsOf } from "#agent/serving/models/model-settings.ts";
import type { ComputeGate } from "#agent/serving/ports.ts";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import type { ServingMetrics } from "#agent/serving/serving-metrics.ts";
import type { Logger } from "#platform/log.ts";
import { secondMs } from "#platform/time.ts";
import { openEmbeddingModel } from "./embedding-model.ts";
import { ModelPool } from "./model-pool.ts";

/** Options of serving that its models depend on. */
export interface PoolOptions {
  readonly config: ServingConfig;
  readonly log: Logger;
  readonly gate: ComputeGate;
  /** Directory of pulled models, with one directory per model; null = none. */
  readonly pulledModels: string | null;
  /** Interval of the checks of files and memory. */
  readonly upkeepMs?: number;
  /** Directory of the models' fingerprints; null = none are kept. */
  readonly fingerprints?: string | null;
  /** Returns a model's speed as it was measured in an earlier run, in tokens a millisecond; null: not measured. */
  readonly rememberedSpeed?: (model: string) => number | null;
  /** Called when a model's process was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
}

/** Creates the pool of the configured models; a gateway has none. */
export function createModelPool(
  options: PoolOptions,
  parts: {
    readonly metrics: ServingMetrics;
    readonly weightOf: (tenant: string) => number;
    readonly isGateway: boolean;
  },
): ModelPool {
  const { config, log, gate, pulledModels, fingerprints: directory = null, onHang, upkeepMs } = options;
  const { metrics, weightOf, isGateway } = parts;
  const fingerprints = createFingerprintStore(directory, log);
  const { rememberedSpeed = () => null } = options;
  const modelConfig = (manifest: ModelManifest) => ({
    ...{ ...config, ...settingsOf(config, manifest), weightOf, gate },
    rememberedSpeed: rememberedSpeed(manifest.id),
  });
  return new ModelPool({
    available: createAvailableModels(
      isGateway ? null : modelPlaces(config.modelDirectory, pulledModels),
      (manifest) => onnxChoice(settingsOf(config, manifest)),
      log,
      config.aliases,
    ),
    defaultModel: isGateway ? null : config.model,
    pinned: isGateway ? [] : config.pinned,
    memoryBytes: config.modelMemoryBytes,
    keepAliveMs: config.keepAliveS === null ? null : config.keepAliveS * secondMs,
    open: (found, events) =>
      openEmbeddingModel(found, modelConfig(found.manifest), log, {
        onBatch: (batch) => metrics.recordBatch(found.manifest.id, batch),
        onRestart: () => metrics.recordModelRestart(found.manifest.id),
        judge: fingerprints.judge,
        onHang: (reason) => onHang?.(`of ${found.manifest.id} ${reason}`),
        onLoaded(loadMs, engine) {
          metrics.recordModelLoad(found.manifest.id, loadMs, engine);
          events.onLoaded();
        },
        onFailing: events.onFailing,
      }),
    observer: { onLookup: metrics.recordModelLookup, onEvicted: metrics.recordModelEviction },
    ...(upkeepMs === undefined ? {} : { upkeepMs }),
    nowMs: () => performance.now(),
    log,
  });
}
