import modelPath from "#models/traffic-lstm/model.json" with { type: "file" };
import scalingPath from "#models/traffic-lstm/scaling.json" with { type: "file" };
import weightsPath from "#models/traffic-lstm/weights.bin" with { type: "file" };
import type { ModelFiles } from "./model-files.ts";

/** The trained weights that the program carries with it: paths in the source tree or inside the executable. */
export const defaultModelFiles: ModelFiles = {
  // TypeScript takes these imports for the JSON's content; with `type: "file"` they are paths.
  "model.json": modelPath as unknown as string,
  "scaling.json": scalingPath as unknown as string,
  "weights.bin": weightsPath,
};
