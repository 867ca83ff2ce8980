import { featuresPerWindow } from "#forecast/data/window-features.ts";
import { compileForward } from "#forecast/lstm/compile-forward.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { loadModel, loadModelFrom } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { describeError } from "#platform/errors.ts";
import type { ForecastRequest, WorkerMessage } from "./worker-messages.ts";

/** A model directory that is damaged must not cost the network: the program carries one. */
async function loadOrFallBack(modelDir: string | null) {
  if (modelDir === null) return { model: await loadModel(defaultModelFiles), problem: null };
  try {
    return { model: await loadModelFrom(modelDir), problem: null };
  } catch (error) {
    const problem = `the model in ${modelDir} can't be used (${describeError(error)}): the program's own serves`;
    return { model: await loadModel(defaultModelFiles), problem };
  }
}

/**
 * The child process that runs the network: loads it, says that it is ready, answers window after window. It ends with the channel to
 * its parent, however that one ends.
 * @param modelDir null: the weights that the program carries.
 * @returns the exit code.
 */
export async function runForecastWorker(modelDir: string | null): Promise<number> {
  if (process.send === undefined) throw new Error("a forecasting process is started by an agent, not by hand");
  const say = (message: WorkerMessage) => process.send?.(message);
  // A signal to the whole process group (Ctrl-C, systemd) is the parent's to act on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const ended = Promise.withResolvers<number>();
  process.on("disconnect", () => ended.resolve(0));

  const startedMs = performance.now();
  try {
    const { backend, reason: backendReason } = await startBackend();
    const { model, problem } = await loadOrFallBack(modelDir);
    const reason = problem === null ? backendReason : `${problem}; ${backendReason}`;
    const run = compileForward(model) ?? ((features: Float32Array) => predictOutputs(model, features, 1, 1));
    run(new Float32Array(featuresPerWindow)); // the first run compiles what the others use
    process.on("message", ({ id, features }: ForecastRequest) => {
      try {
        say({ kind: "outputs", id, outputs: run(features) });
      } catch (error) {
        say({ kind: "failed", id, reason: describeError(error) });
      }
    });
    say({ kind: "ready", backend, reason, problem, loadMs: performance.now() - startedMs });
  } catch (error) {
    say({ kind: "unusable", reason: describeError(error) });
  }
  return await ended.promise;
}
