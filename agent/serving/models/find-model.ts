import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { embeddedModels } from "#models/embedded-models.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { checkTrustedTree, findUntrustedInTree } from "#platform/files/check-trusted-path.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { ownValue } from "#protocol/own-value.ts";
import { decideOnnxFile, type OnnxChoice } from "./decide-onnx-file.ts";
import { describeModelDirectory } from "./describe-model-directory.ts";
import { describesModel } from "./describe-modules.ts";
import { explainOnnxFile } from "./explain-onnx-file.ts";
import { type FoundModel, ModelManifest } from "./model-manifest.ts";
import { type CatalogModel, findInCatalog, readCatalog } from "./pull/catalog.ts";
import { readDirectoryContents } from "./read-directory-contents.ts";

/** Choice of the most exact file that this machine's processor can compute. */
const processorChoice: OnnxChoice = { precision: "auto", architecture: process.arch, gpu: false };

/** Choice of the configured precision on this machine. */
export const onnxChoice = ({ precision }: Pick<ServingConfig, "precision">): OnnxChoice => ({
  ...processorChoice,
  precision,
});

/** One choice for all models, or a choice for each. */
export type OnnxChoices = OnnxChoice | ((manifest: ModelManifest) => OnnxChoice);

const manifestFile = "manifest.json";
const tokenizerFile = "tokenizer.json";
const tokenizerConfigFile = "tokenizer_config.json";
const describesTexts = (name: string) => describesModel(name) || /^(vocab|merges|special_tokens_map)\b/.test(name);

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readRegularText(path));
  } catch (cause) {
    throw new UsageError(`${path} can't be read`, { cause });
  }
}

const staysInside = (path: string) => !path.startsWith("/") && !path.split(/[\\/]/).includes("..");

/** Lists the files on which the vectors depend: those about texts, and the chosen weights with the files named after them. */
function filesOf(
  manifest: ModelManifest,
  chosen: string,
  pathOf: (file: string) => string | undefined,
): FoundModel["files"] {
  const ofOthers = manifest.onnx.map(({ path }) => path).filter((path) => path !== chosen && !path.startsWith(chosen));
  const isOfOther = (name: string) =>
    ofOthers.some((path) => name.startsWith(path) && !(chosen.startsWith(path) && name.startsWith(chosen)));
  const counts = (name: string) =>
    name === chosen || manifest.files[name]?.sha256 !== undefined || name.startsWith(chosen) || describesTexts(name);
  const names = new Set([chosen, tokenizerFile, tokenizerConfigFile, ...Object.keys(manifest.files).filter(counts)]);
  return [...names].sort().flatMap((name) => {
    const path = staysInside(name) && !isOfOther(name) ? pathOf(name) : undefined;
    return path === undefined ? [] : [{ name, path, sha256: manifest.files[name]?.sha256 ?? null }];
  });
}

function foundModel(
  manifest: ModelManifest,
  choices: OnnxChoices,
  place: {
    readonly origin: string;
    pathOf(file: string): string | undefined;
    readonly tokenizerConfig: object;
    readonly carried?: boolean;
  },
  notes: readonly string[],
): FoundModel {
  const choice = typeof choices === "function" ? choices(manifest) : choices;
  const decision = decideOnnxFile(manifest.onnx, choice);
  if (decision.kind === "none")
    throw new UsageError(`model "${manifest.id}" (${place.origin}): ${explainOnnxFile(decision)}`);
  const modelPath = staysInside(decision.path) ? place.pathOf(decision.path) : undefined;
  const tokenizerPath = place.pathOf(tokenizerFile);
  if (modelPath === undefined || tokenizerPath === undefined) {
    const missing = modelPath === undefined ? decision.path : tokenizerFile;
    throw new UsageError(
      `model "${manifest.id}" (${place.origin}): expected the file ${missing}, which does not exist`,
    );
  }
  return {
    manifest,
    modelPath,
    precision: decision.precision,
    modelSha256: manifest.files[decision.path]?.sha256 ?? null,
    tokenizerPath,
    tokenizerSha256: manifest.files[tokenizerFile]?.sha256 ?? null,
    files: place.carried === true ? [] : filesOf(manifest, decision.path, place.pathOf),
    tokenizerConfig: place.tokenizerConfig,
    origin: place.origin,
    notes: [explainOnnxFile(decision), ...notes],
  };
}

export const isModelDirectory = (directory: string): boolean =>
  [manifestFile, "config.json", "model.onnx", "onnx", "modules.json"].some((file) => existsSync(join(directory, file)));

/** Reads the manifest of a model's directory; null when there is none that can be read. */
export async function readInstalledManifest(directory: string): Promise<ModelManifest | null> {
  const path = join(directory, manifestFile);
  try {
    return parseConfig(ModelManifest, await readJson(path), path);
  } catch {
    return null;
  }
}

/** Read once: directories are read again and again. */
let catalog: readonly CatalogModel[] | undefined;

/** Finds the prompts that a model's authors mention on its page only, for a directory of the model's name whose files state none. */
function promptsByCatalogue({ id, kind, dimension, prompts }: ModelManifest) {
  if (kind !== "embedding" || Object.keys(prompts).length > 0) return null;
  catalog ??= readCatalog();
  const known = findInCatalog(catalog, id);
  if (known === undefined || known.dimension !== dimension || Object.keys(known.prompts).length === 0) return null;
  const names = Object.keys(known.prompts).join(", ");
  return {
    prompts: known.prompts,
    note: `its files state no prompts: using those of ${known.id} in the catalogue (${names})`,
  };
}

/**
 * Reads the model of a directory: from its manifest.json, or else from the files that sentence-transformers and Hugging Face's exporters
 * write. Weights are not read.
 * @param id name of a model without manifest.json
 * @param catalogue its pooling by the catalogue, where its files don't state one
 * @throws UsageError when this program can't serve the model, or when other users could have put or changed its files.
 */
export async function readModelDirectory(
  directory: string,
  choices: OnnxChoices = processorChoice,
  id: string = basename(directory),
  catalogue: ModelManifest["pooling"] | null = null,
): Promise<FoundModel> {
  checkTrustedTree(directory, `the model in ${directory}`);
  const pathOf = (file: string) => {
    const path = join(directory, file);
    return existsSync(path) ? path : undefined;
  };
  const configPath = pathOf(tokenizerConfigFile);
  const tokenizerConfig = ((configPath === undefined ? null : await readJson(configPath)) ?? {}) as object;
  const place = { origin: directory, pathOf, tokenizerConfig };
  const manifestPath = join(directory, manifestFile);
  if (existsSync(manifestPath)) {
    const manifest = parseConfig(ModelManifest, await readJson(manifestPath), manifestPath);
    return foundModel(manifest, choices, place, []);
  }
  const contents = await readDirectoryContents(directory);
  try {
    const { manifest, notes } = describeModelDirectory(id, contents.revision, contents, catalogue);
    const known = promptsByCatalogue(manifest);
    return known === null
      ? foundModel(manifest, choices, place, notes)
      : foundModel({ ...manifest, prompts: known.prompts }, choices, place, [...notes, known.note]);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`model directory ${directory} (without manifest.json): ${describeError(cause)}`);
  }
}

/**
 * Finds a model in the configured directory (which holds one directory a model), in `models/` beside the executable, then among
 * those that the program carries.
 * @param id may contain "/" (`sentence-transformers/all-MiniLM-L6-v2`)
 * @throws UsageError when there is no such model, or this program can't serve it.
 */
export async function findModel(
  id: string,
  configuredDirectory: string | null,
  choices: OnnxChoices = processorChoice,
): Promise<FoundModel> {
  const besideExecutable = join(dirname(process.execPath), "models");
  const places = [configuredDirectory, besideExecutable];
  const notes: string[] = [];
  for (const place of places) {
    if (place === null || !staysInside(id)) continue;
    const directory = join(place, id);
    if (!isModelDirectory(directory)) continue;
    const flaw = place === besideExecutable && place !== configuredDirectory ? findUntrustedInTree(directory) : null;
    if (flaw === null) return readModelDirectory(directory, choices, id);
    // The directory is not configured: files put there by another user must not disable the carried model.
    notes.push(`${directory} is not served: ${flaw}`);
  }
  const embedded = ownValue(embeddedModels, id);
  if (embedded !== undefined) {
    const manifest = parseConfig(ModelManifest, embedded.manifest, `the embedded manifest of ${id}`);
    const place = {
      origin: "embedded",
      pathOf: (file: string) => embedded.files[file],
      tokenizerConfig: {},
      carried: true,
    };
    // The program carries one file of each model, whatever precision is configured.
    return foundModel(manifest, processorChoice, place, notes);
  }
  throw new UsageError(
    `model "${id}" was not found in ${places.filter((place) => place !== null).join(", ")} nor among the built-in ones: ` +
      [Object.keys(embeddedModels).join(", "), ...notes].join("; "),
  );
}
