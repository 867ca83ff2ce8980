import { link, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";

const source = await findModel("all-MiniLM-L6-v2", null);

/** A directory for a model's files that has the embedded model's, under another name, on this file system or copied to it. */
async function lay(from: string, to: string) {
  await link(from, to).catch(() => Bun.write(to, Bun.file(from)));
}

/** The embedded model once more under each of the names, in a directory of models; `change` alters what a manifest says. */
export async function modelDirectory(
  ids: readonly string[],
  change: (manifest: typeof source.manifest) => object = (manifest) => manifest,
): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), "thormesh-models-"));
  for (const id of ids) {
    const directory = join(place, id);
    await mkdir(directory);
    await lay(source.modelPath, join(directory, "model.onnx"));
    await lay(source.tokenizerPath, join(directory, "tokenizer.json"));
    const manifest = change({ ...source.manifest, id, name: id, aliases: [`${id}-alias`] });
    await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
  }
  return place;
}
