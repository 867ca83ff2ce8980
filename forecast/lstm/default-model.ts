import modelPath from "#models/traffic-lstm/model.json" with { type: "file" };
import scalingPath from "#models/traffic-lstm/scaling.json" with { type: "file" };
import weightsPath from "#models/traffic-lstm/weights.bin" with { type: "file" };
import type { ModelFiles } from "./model-files.ts";

/** Built-in trained weights: paths in the source tree or inside the executable. */
export const defaultModelFiles: ModelFiles = {
  // With `type: "file"` these imports are paths; TypeScript takes them for the content of the JSON.
  "model.json": modelPath as unknown as string,
  "scaling.json": scalingPath as unknown as string,
  "weights.bin": weightsPath,
};
