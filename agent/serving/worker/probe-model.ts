import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { type ModelProcess, ModelProcessLostError } from "./model-process.ts";

/** Tells by the words of ONNX Runtime and its libraries that an allocation failed. */
export const lacksMemory = (error: unknown): boolean =>
  /bad_?alloc|failed to allocate|out of memory|cannot allocate/i.test(String(error));

/**
 * Has a model that was just loaded compute the tokenizer's highest token: a tokenizer of another model, a manifest with another dimension and
 * damaged weights are found at once, not with the first text that needs them.
 * @param lastId highest id of the tokenizer
 * @throws Error naming what doesn't fit, after stopping the process; ModelProcessLostError when it ended before it answered.
 */
export async function probeModel(
  process: ModelProcess,
  lastId: number,
  { modelPath, tokenizerPath }: Pick<FoundModel, "modelPath" | "tokenizerPath">,
): Promise<ModelProcess> {
  try {
    const { vectors } = await process.run([Uint32Array.of(lastId)], 1);
    if (vectors[0]?.every(Number.isFinite) === true) return process;
  } catch (cause) {
    await process.stop();
    // A process that was lost says nothing about the model's files.
    if (cause instanceof ModelProcessLostError) throw cause;
    if (lacksMemory(cause)) throw new Error(`there is no memory to compute with ${modelPath}`, { cause });
    throw new Error(
      `${modelPath} can't compute token ${lastId}, which ${tokenizerPath} contains: do they belong to the same model?`,
      {
        cause,
      },
    );
  }
  await process.stop();
  throw new Error(`${modelPath} computes values that are not numbers`);
}
