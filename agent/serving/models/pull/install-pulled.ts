import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import { readModelDirectory } from "#agent/serving/models/find-model.ts";
import { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { CatalogModel } from "./catalog.ts";
import { checkLoads } from "./check-loads.ts";
import { PullError } from "./pull-error.ts";
import type { PulledFile, PullRequest } from "./pull-model.ts";
import type { Staging } from "./staging.ts";

interface Provenance {
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
 */
async function writeManifest(
  directory: string,
  choice: OnnxChoice,
  { id, revision, licence, source, known }: Provenance,
  files: ModelManifest["files"],
): Promise<void> {
  const { manifest: own } = await readModelDirectory(directory, choice, id, known?.pooling ?? null).catch((cause) => {
    if (cause instanceof UsageError) throw new PullError(`this model can't be served: ${describeError(cause)}`);
    throw cause;
  });
  const wrong = known === null ? [] : contradictions(own, known);
  if (wrong.length > 0) throw new PullError(`the files are not those of ${id} in the catalogue: ${wrong.join("; ")}`);
  const aliases = known === null ? own.aliases : [...own.aliases, known.source.repo, ...known.aliases];
  const manifest = {
    ...own,
    id,
    name: known?.name ?? own.name,
    aliases: [...new Set(aliases)].filter((alias) => alias !== id),
    revision,
    licence: known?.licence ?? licence ?? own.licence,
    source: { ...own.source, ...source },
    files,
    // Many repositories mention their prompts on their page only.
    prompts: Object.keys(own.prompts).length > 0 ? own.prompts : (known?.prompts ?? {}),
    defaultPrompt: own.defaultPrompt ?? known?.defaultPrompt ?? null,
  };
  const text = JSON.stringify(parseConfig(ModelManifest, manifest, "the manifest"), null, 2);
  await writeFile(join(directory, "manifest.json"), `${text}\n`);
}

/**
 * Writes the manifest of a model whose files are all in their staging directory, loads it once, and installs it in one step.
 * @param provenance null as revision: the files' content identifies the version
 * @returns the revision
 * @throws PullError when this program can't serve the model, or it is not the catalogue's; the signal's reason when it aborts.
 */
export async function installPulled(
  staging: Staging,
  files: readonly PulledFile[],
  provenance: Omit<Provenance, "revision"> & { readonly revision: string | null },
  { choice, events, signal }: Pick<PullRequest, "choice" | "events" | "signal">,
): Promise<string> {
  const { directory } = staging;
  const hashes = Object.fromEntries(
    files
      .filter(({ path, bytes }) => path !== "manifest.json" && bytes > 0)
      .map(({ path, sha256, bytes }) => [path, { sha256, bytes }]),
  );
  const content = new Bun.CryptoHasher("sha256").update(JSON.stringify(hashes)).digest("hex").slice(0, 12);
  const revision = provenance.revision ?? `files-${content}`;
  await writeManifest(directory, choice, { ...provenance, revision }, hashes);
  events.onCheck();
  await checkLoads(directory, provenance.id, choice, signal);
  await staging.install();
  return revision;
}
