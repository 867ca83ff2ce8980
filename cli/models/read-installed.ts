import { join } from "node:path";
import { ModelManifest } from "#agent/serving/model-manifest.ts";
import { parseConfig } from "#platform/read-config.ts";

/** The manifest of a model's directory; null where there is none that can be read. */
export async function readInstalledManifest(directory: string): Promise<ModelManifest | null> {
  const path = join(directory, "manifest.json");
  try {
    return parseConfig(ModelManifest, await Bun.file(path).json(), path);
  } catch {
    return null;
  }
}
