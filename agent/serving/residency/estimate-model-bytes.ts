import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { sourceBytesOf } from "#agent/serving/prepared/use-prepared.ts";

/** Memory of a process without a model: the executable, ONNX Runtime, their heaps. */
const processBytes = 110_000_000;
/** Memory for the mapped weights and a batch, per byte of weights (measured: 2 for 23 MB). */
const bytesPerWeightByte = 2;

/** Estimates the memory of a model's process, until it is measured. */
export function estimateModelBytes({ modelPath }: Pick<FoundModel, "modelPath">): number {
  return processBytes + bytesPerWeightByte * sourceBytesOf(modelPath);
}
