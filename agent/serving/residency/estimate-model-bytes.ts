import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";

/** A model's process with nothing in it: the executable, ONNX Runtime, their heaps. */
const processBytes = 190_000_000;
/** Weights, what the runtime makes of them, and what a batch needs on top (measured: 2.1 for 23 MB of weights). */
const bytesPerWeightByte = 2;

/** An ONNX file and those beside it whose names begin with its name: the weights of a large model are in `model.onnx_data`. */
function weightBytes(modelPath: string): number {
  try {
    const directory = dirname(modelPath);
    const files = readdirSync(directory).filter((name) => name.startsWith(basename(modelPath)));
    return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    return Bun.file(modelPath).size; // inside the executable there is no directory
  }
}

/** What a model's process will take, until it has been measured. */
export function estimateModelBytes({ modelPath }: Pick<FoundModel, "modelPath">): number {
  return processBytes + bytesPerWeightByte * weightBytes(modelPath);
}
