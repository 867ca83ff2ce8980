import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import { readModelDirectory } from "#agent/serving/models/find-model.ts";
import { openEmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { tokensToTry } from "#agent/serving/text/text-tokenizer.ts";
import { describeError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { PullError } from "./pull-error.ts";

const loadMs = 180_000;
const tensorrt = parseConfig(ServingConfig, {}, "the defaults").tensorrt;

/**
 * Loads a model as an agent would and has an embedding model compute a vector.
 * @throws PullError with the reason when it can't; the signal's reason when it aborts.
 */
export async function checkLoads(
  directory: string,
  id: string,
  choice: OnnxChoice,
  signal: AbortSignal,
): Promise<void> {
  const failing = Promise.withResolvers<never>();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(loadMs)]);
  deadline.addEventListener("abort", () => failing.reject(deadline.reason), { once: true });
  failing.promise.catch(() => {});
  const found = await readModelDirectory(directory, choice, id);
  // Every machine has the carried library and a CPU.
  const engine = { executionProviders: ["cpu" as const], onnxruntimeDirectory: null, tensorrt };
  const policy = { ...engine, batchTexts: 1, batchTokens: 512, paddedLengths: null, oneThreadProcesses: 0, threads: 1 };
  try {
    const model = await openEmbeddingModel(found, policy, createLogger("models", "silent"), {
      onBatch() {},
      onLoaded() {},
      onFailing: (reason) => failing.reject(new Error(reason)),
    });
    try {
      await Promise.race([model.runner.firstLoaded, failing.promise]);
      if (found.manifest.kind === "cross-encoder") return;
      const ids = tokensToTry(model.tokenizer, "does it load");
      const { vector } = await Promise.race([model.queue.embed(ids, deadline), failing.promise]);
      if (!vector.every(Number.isFinite)) throw new Error("its vectors are not numbers");
    } finally {
      await model.stop();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new PullError(`the files are complete, but the model does not load: ${describeError(error)}`);
  }
}
