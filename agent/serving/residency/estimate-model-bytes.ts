import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";

/** Memory of a process without a model: the executable, ONNX Runtime, their heaps. */
const processBytes = 190_000_000;
/** Memory for weights, the runtime's copy of them and a batch, per byte of weights (measured: 2.1 for 23 MB). */
const bytesPerWeightByte = 2;

/** Size of an ONNX file and of those beside it whose names begin with its name: large models have their weights in `model.onnx_data`. */
function weightBytes(modelPath: string): number {
  try {
    const directory = dirname(modelPath);
    const files = readdirSync(directory).filter((name) => name.startsWith(basename(modelPath)));
    return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    return Bun.file(modelPath).size; // inside the executable there is no directory
  }
}

/** Estimates the memory of a model's process, until it is measured. */
export function estimateModelBytes({ modelPath }: Pick<FoundModel, "modelPath">): number {
  return processBytes + bytesPerWeightByte * weightBytes(modelPath);
}
