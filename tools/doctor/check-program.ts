import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { providerCheck } from "#agent/serving/http/health-report.ts";
import { findModel, onnxChoice } from "#agent/serving/models/find-model.ts";
import { settingsOf } from "#agent/serving/models/model-settings.ts";
import { modelOfOwnName } from "#agent/serving/models/own-names.ts";
import { openEmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { tokensToTry } from "#agent/serving/text/text-tokenizer.ts";
import { ForecastProcess } from "#forecast/lstm/worker/forecast-process.ts";
import type { ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

/** Time that a model may take by default, ms. A busy board is no broken one: an update must not fail by it. */
export const usualWaitMs = 60_000;

/** Disk space of an agent's empty databases and their journals. */
const minBytes = 16e6;
/** Disk space of the outbox at its default size and weeks of traffic. */
const enoughBytes = 200e6;
const spaceAdvice = "free some space, or set stateDir to a directory on a larger disk";

function freeBytesIn(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Checks that the agent can write to its state directory, and the free space there. */
export function checkStateDirectory(path: string, freeBytesOf = freeBytesIn): CheckResult {
  const name = "state directory";
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK);
    const freeBytes = freeBytesOf(path);
    if (freeBytes >= enoughBytes) return ok(name, path);
    const free = `${(freeBytes / 1e6).toFixed(1)} MB are free in ${path}`;
    return freeBytes < minBytes
      ? failed(name, `${free}: too little to start`, spaceAdvice)
      : note(name, `${free}: records may not fit if the broker is away for long`, spaceAdvice);
  } catch (error) {
    return failed(name, describeError(error), "set stateDir to a directory this user can write to");
  }
}

/** Embeds a text with the real model, within `waitMs`. */
export async function checkEmbedding(config: ServingConfig, log: Logger, waitMs = usualWaitMs): Promise<CheckResult> {
  const name = "embedding";
  try {
    const found = await findModel(modelOfOwnName(config.model, config.aliases), config.modelDirectory, (manifest) =>
      onnxChoice(settingsOf(config, manifest)),
    );
    const settings = settingsOf(config, found.manifest);
    const model = await openEmbeddingModel(found, { ...config, ...settings }, log, { onBatch() {}, onLoaded() {} });
    model.runner.start();
    try {
      const ids = tokensToTry(model.tokenizer, "how is this machine today");
      const { vector } = await model.queue.embed(ids, AbortSignal.timeout(waitMs));
      const detail = `${found.manifest.id}, ${vector.length} numbers a text, ${settings.threads} threads`;
      // The same judgement as in the agent's /health.
      const provider = providerCheck(model.engine(), config.executionProviders);
      if (provider.status === "healthy") return ok(name, detail);
      return failed(name, `${detail}; ${provider.detail}`, "docs/serving.md says which ONNX Runtime fits");
    } finally {
      await model.stop();
    }
  } catch (error) {
    return failed(
      name,
      describeError(error),
      "if that is the cause, set THORMESH_CACHE_DIR to a directory from which libraries can be loaded",
    );
  }
}

/**
 * Starts the forecasting process and reports its TensorFlow.js backend.
 * @param timeoutMs of a forecast, once the model is ready
 * @param waitMs time until the model must be ready
 */
export async function checkForecast(
  modelDir: string | null,
  timeoutMs: number,
  log: Logger,
  waitMs = usualWaitMs,
): Promise<CheckResult> {
  const name = "forecast";
  const settled = Promise.withResolvers<ForecastWorkerState | null>();
  const worker = new ForecastProcess({
    modelDir,
    timeoutMs,
    log,
    onState: (state) => {
      if (state.kind === "ready" || state.kind === "lost") settled.resolve(state);
    },
  });
  worker.start();
  const timer = setTimeout(() => settled.resolve(null), waitMs);
  const state = await settled.promise;
  clearTimeout(timer);
  await worker.stop();
  if (state?.kind === "ready") {
    const detail = `LSTM on ${state.backend} (${state.reason})`;
    return { name, status: state.problem === null ? "ok" : "note", detail };
  }
  return note(
    name,
    `${state?.kind === "lost" ? state.reason : `not ready within ${waitMs / 1000} s`}: simple forecasts are used instead`,
  );
}
