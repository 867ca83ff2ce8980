import { describeError } from "#platform/errors.ts";
import { compileForward } from "../compile-forward.ts";
import { defaultModelFiles } from "../default-model.ts";
import { loadModel, modelFilesIn } from "../model-files.ts";
import { predictOutputs } from "../predict-outputs.ts";
import { startBackend } from "../tensorflow.ts";
import { featuresPerWindow } from "../window-features.ts";
import type { ForecastRequest, WorkerMessage } from "./worker-messages.ts";

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
    const { backend, reason } = await startBackend();
    const model = await loadModel(modelDir === null ? defaultModelFiles : modelFilesIn(modelDir));
    const run = compileForward(model) ?? ((features: Float32Array) => predictOutputs(model, features, 1, 1));
    run(new Float32Array(featuresPerWindow)); // the first run compiles what the others use
    process.on("message", ({ id, features }: ForecastRequest) => {
      try {
        say({ kind: "outputs", id, outputs: run(features) });
      } catch (error) {
        say({ kind: "failed", id, reason: describeError(error) });
      }
    });
    say({ kind: "ready", backend, reason, loadMs: performance.now() - startedMs });
  } catch (error) {
    say({ kind: "unusable", reason: describeError(error) });
  }
  return await ended.promise;
}
