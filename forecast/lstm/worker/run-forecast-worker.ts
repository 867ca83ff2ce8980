import { featuresPerWindow } from "#forecast/data/window-features.ts";
import { compileForward } from "#forecast/lstm/compile-forward.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { medianMs, startFastestBackend } from "#forecast/lstm/fastest-backend.ts";
import { loadModel, loadModelFrom } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { describeError } from "#platform/errors.ts";
import type { ForecastRequest, WorkerMessage } from "./forecast-worker.ts";

/** Loads a model; the built-in one when the directory's can't be used. */
async function loadOrFallBack(modelDir: string | null) {
  if (modelDir === null) return { model: await loadModel(defaultModelFiles), problem: null };
  try {
    return { model: await loadModelFrom(modelDir), problem: null };
  } catch (error) {
    const problem = `the model in ${modelDir} can't be used (${describeError(error)}): using the built-in one`;
    return { model: await loadModel(defaultModelFiles), problem };
  }
}

const toForward = (model: Awaited<ReturnType<typeof loadModel>>) =>
  compileForward(model) ?? ((features: Float32Array) => predictOutputs(model, features, 1, 1));

/**
 * Runs the child process that holds the network: loads it, reports that it is ready, and answers window after window. It ends with the channel
 * to its parent, however the parent ends.
 * @param modelDir null: the built-in weights.
 * @returns the exit code.
 */
export async function runForecastWorker(modelDir: string | null): Promise<number> {
  if (process.send === undefined) throw new Error("the forecasting process is started by an agent, not by hand");
  const send = (message: WorkerMessage) => process.send?.(message);
  // Only the parent acts on a signal to the whole process group (Ctrl-C, systemd).
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const ended = Promise.withResolvers<number>();
  process.on("disconnect", () => ended.resolve(0));

  const startedMs = performance.now();
  try {
    const { backend, reason: backendReason } = await startFastestBackend(async () => {
      const { model } = await loadOrFallBack(modelDir);
      const run = toForward(model);
      const ms = await medianMs(() => run(new Float32Array(featuresPerWindow)));
      model.dispose();
      return ms;
    });
    const { model, problem } = await loadOrFallBack(modelDir);
    const reason = problem === null ? backendReason : `${problem}; ${backendReason}`;
    const run = toForward(model);
    run(new Float32Array(featuresPerWindow)); // compiles what the later runs use
    process.on("message", ({ id, features }: ForecastRequest) => {
      try {
        send({ kind: "outputs", id, outputs: run(features) });
      } catch (error) {
        send({ kind: "failed", id, reason: describeError(error) });
      }
    });
    send({ kind: "ready", backend, reason, problem, loadMs: performance.now() - startedMs });
  } catch (error) {
    send({ kind: "unusable", reason: describeError(error) });
  }
  return await ended.promise;
}
