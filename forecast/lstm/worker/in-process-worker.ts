import { compileForward } from "#forecast/lstm/compile-forward.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { loadModel } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { describeError } from "#platform/errors.ts";
import type { ForecastWorker } from "./forecast-worker.ts";

/**
 * Loads the built-in network into this process: for replays, which make thousands of forecasts and have no requests to delay.
 * @throws Error when the model can't be loaded.
 */
export async function createInProcessWorker(): Promise<ForecastWorker> {
  const { backend, reason } = await startBackend();
  const model = await loadModel(defaultModelFiles);
  const forward = compileForward(model) ?? ((features: Float32Array) => predictOutputs(model, features, 1, 1));
  return {
    start() {},
    async stop() {
      model.dispose();
    },
    state: () => ({ kind: "ready", backend, reason, problem: null, pid: process.pid }),
    async run(features) {
      try {
        return forward(features);
      } catch (error) {
        throw new Error(`the network fails: ${describeError(error)}`, { cause: error });
      }
    },
  };
}
