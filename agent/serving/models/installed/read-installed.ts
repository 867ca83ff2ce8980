import { join } from "node:path";
import { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";

/** The manifest of a model's directory; null where there is none that can be read. */
export async function readInstalledManifest(directory: string): Promise<ModelManifest | null> {
  const path = join(directory, "manifest.json");
  try {
    return parseConfig(ModelManifest, JSON.parse(await readRegularText(path)), path);
  } catch {
    return null;
  }
}
