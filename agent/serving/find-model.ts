import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { embeddedModels } from "#models/embedded-models.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/read-config.ts";
import { type FoundModel, ModelManifest } from "./model-manifest.ts";

async function readDirectory(directory: string): Promise<FoundModel> {
  const manifestPath = join(directory, "manifest.json");
  let input: unknown;
  try {
    input = await Bun.file(manifestPath).json();
  } catch (cause) {
    throw new UsageError(`model manifest ${manifestPath} can't be read`, { cause });
  }
  return {
    manifest: parseConfig(ModelManifest, input, manifestPath),
    modelPath: join(directory, "model.onnx"),
    tokenizerPath: join(directory, "tokenizer.json"),
    origin: directory,
  };
}

/**
 * Finds a model: in the configured directory (which holds one directory a model), in `models/` beside the executable, then among
 * those the program carries. The first that has it wins.
 * @throws UsageError when none has it, or its manifest is wrong.
 */
export async function findModel(id: string, configuredDirectory: string | null): Promise<FoundModel> {
  const places = [configuredDirectory, join(dirname(process.execPath), "models")];
  for (const place of places) {
    if (place === null) continue;
    const directory = join(place, id);
    if (existsSync(join(directory, "manifest.json"))) return readDirectory(directory);
  }
  const embedded = embeddedModels[id];
  const modelPath = embedded?.files["model.onnx"];
  const tokenizerPath = embedded?.files["tokenizer.json"];
  if (embedded !== undefined && modelPath !== undefined && tokenizerPath !== undefined) {
    const manifest = parseConfig(ModelManifest, embedded.manifest, `the embedded manifest of ${id}`);
    return { manifest, modelPath, tokenizerPath, origin: "embedded" };
  }
  throw new UsageError(
    `model "${id}" was not found in ${places.filter((place) => place !== null).join(", ")} nor among those the program carries: ` +
      Object.keys(embeddedModels).join(", "),
  );
}
