import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import type { ModelDirectoryFiles } from "./describe-model-directory.ts";
import { describesModel } from "./describe-modules.ts";

/** Lists files down to one directory: weights are no deeper than in onnx/, configuration no deeper than in 1_Pooling/. */
async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const inside = await Promise.all(
    entries.map(async (entry) => {
      // A link counts as what it leads to: Hugging Face's cache is made of links.
      const info = entry.isSymbolicLink() ? await stat(join(directory, entry.name)).catch(() => null) : entry;
      if (info?.isFile()) return [entry.name];
      if (info?.isDirectory() !== true) return [];
      return (await readdir(join(directory, entry.name))).map((name) => `${entry.name}/${name}`);
    }),
  );
  return inside.flat().sort();
}

/**
 * Reads the files of a model's directory that describe the model, not its weights and its tokenizer.
 * @returns also a revision, which changes when a file of the directory does
 * @throws UsageError for JSON that can't be parsed.
 */
export async function readDirectoryContents(
  directory: string,
): Promise<ModelDirectoryFiles & { readonly revision: string }> {
  const hash = new Bun.CryptoHasher("sha256");
  const files: { path: string; bytes: number }[] = [];
  for (const path of await listFiles(directory)) {
    const { size, mtimeMs } = await stat(join(directory, path));
    files.push({ path, bytes: size });
    hash.update(`${path}\n${size}\n${mtimeMs}\n`);
  }
  const json: Record<string, unknown> = {};
  for (const { path } of files.filter((file) => describesModel(file.path))) {
    try {
      json[path] = JSON.parse(await readRegularText(join(directory, path)));
    } catch (cause) {
      throw new UsageError(`${join(directory, path)} can't be read`, { cause });
    }
  }
  return { files, json, revision: `files-${hash.digest("hex").slice(0, 12)}` };
}
