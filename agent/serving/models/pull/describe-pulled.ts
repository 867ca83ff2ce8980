import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import { readModelDirectory } from "#agent/serving/models/find-model.ts";
import { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { CatalogModel } from "./catalog.ts";
import { PullError } from "./pull-error.ts";

/** Origin of a model. */
export interface Provenance {
  readonly id: string;
  readonly revision: string;
  readonly licence: string | null;
  readonly source: Readonly<Record<string, string>>;
  readonly known: CatalogModel | null;
}

/** Lists what the model's own files and the catalogue state differently. */
function contradictions({ dimension, kind }: ModelManifest, known: CatalogModel): string[] {
  const found: string[] = [];
  if (kind !== known.kind) found.push(`expected a model of kind ${known.kind}, got ${kind}`);
  if (kind === "embedding" && dimension !== known.dimension)
    found.push(`expected vectors of ${known.dimension} numbers, got ${dimension}`);
  return found;
}

/**
 * Writes manifest.json beside a model's files: from what they state, what the catalogue adds, and each file's hash, which is checked from
 * now on.
 * @throws PullError when this program can't serve the model, or it is not the catalogue's.
 */
export async function describePulled(
  directory: string,
  choice: OnnxChoice,
  provenance: Provenance,
  files: ModelManifest["files"],
): Promise<ModelManifest> {
  const { id, known } = provenance;
  const read = await readModelDirectory(directory, choice, id).catch((cause) => {
    if (cause instanceof UsageError)
      throw new PullError(`this is no model that can be served: ${describeError(cause)}`);
    throw cause;
  });
  const own = read.manifest;
  const wrong = known === null ? [] : contradictions(own, known);
  if (wrong.length > 0) throw new PullError(`the files are not those of ${id} in the catalogue: ${wrong.join("; ")}`);
  const manifest: ModelManifest = {
    ...own,
    id,
    name: known?.name ?? own.name,
    aliases: [...new Set([...own.aliases, ...(known === null ? [] : [known.source.repo, ...known.aliases])])].filter(
      (alias) => alias !== id,
    ),
    revision: provenance.revision,
    licence: known?.licence ?? provenance.licence ?? own.licence,
    source: { ...own.source, ...provenance.source },
    files,
    // Many repositories mention their prompts on their page only.
    prompts: Object.keys(own.prompts).length > 0 ? own.prompts : (known?.prompts ?? {}),
    defaultPrompt: own.defaultPrompt ?? known?.defaultPrompt ?? null,
  };
  await writeFile(
    join(directory, "manifest.json"),
    `${JSON.stringify(parseConfig(ModelManifest, manifest, "the manifest"), null, 2)}\n`,
  );
  return manifest;
}
