import { UsageError } from "#platform/errors.ts";
import { parseOnnxName } from "./decide-onnx-file.ts";
import { describeLabels } from "./describe-labels.ts";
import { describeModules, transformerSettings } from "./describe-modules.ts";
import { describePooling } from "./describe-pooling.ts";
import { describeSplade } from "./describe-splade.ts";
import { isRecord, numberAt, stringAt, textsAt } from "./json-fields.ts";
import type { ModelManifest } from "./model-manifest.ts";

/** Content of a directory as sentence-transformers or Hugging Face's exporters write it. */
export interface ModelDirectoryFiles {
  /** Files inside it, with "/" in their paths. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Parsed JSON files by path, as far as they exist. */
  readonly json: Readonly<Record<string, unknown>>;
}

const bytesPerWeight = { fp32: 4, fp16: 2, int8: 1, q4: 0.5 } as const;

/** Model types whose first position is not 0: their position tables have more rows than the model reads tokens. */
const shiftedPositions =
  /^(camembert|data2vec-text|ibert|longformer|luke|mpnet|roberta|roberta-prelayernorm|xlm-roberta|xlm-roberta-xl|xmod)$/;

/** Tokenizers without a limit state a number above this one. */
const noLimit = 1_000_000;
const assumedMaxTokens = 512;

/** Returns the position of a text's first token. */
const describeFirstPosition = (config: unknown): number =>
  shiftedPositions.test(stringAt(config, "model_type") ?? "") ? (numberAt(config, "pad_token_id") ?? 1) + 1 : 0;

/** Returns the longest text that the model reads, in tokens: the smallest limit that its files state. */
function describeMaxTokens(json: ModelDirectoryFiles["json"], notes: string[]): number {
  const config = json["config.json"];
  const positions =
    numberAt(config, "max_position_embeddings") ?? numberAt(config, "n_positions") ?? numberAt(config, "max_seq_len");
  const positionLimit = positions === undefined ? Number.POSITIVE_INFINITY : positions - describeFirstPosition(config);
  const own = numberAt(transformerSettings(json), "max_seq_length");
  const tokenizerLimit = numberAt(json["tokenizer_config.json"], "model_max_length") ?? Number.POSITIVE_INFINITY;
  const stated = own ?? (tokenizerLimit < noLimit ? tokenizerLimit : Number.POSITIVE_INFINITY);
  const limit = Math.floor(Math.min(stated, positionLimit));
  if (Number.isFinite(limit)) return limit;
  notes.push(`no file says how many tokens the model reads: assuming ${assumedMaxTokens}`);
  return assumedMaxTokens;
}

/** @throws UsageError when two files contradict each other, or none has it. */
function describeDimension(json: ModelDirectoryFiles["json"], poolingPath: string | null, densePath: string | null) {
  const config = json["config.json"];
  const hidden =
    numberAt(config, "hidden_size") ??
    numberAt(config, "d_model") ??
    numberAt(config, "dim") ??
    numberAt(config, "n_embd");
  const pooled =
    poolingPath === null
      ? undefined
      : (numberAt(json[poolingPath], "word_embedding_dimension") ?? numberAt(json[poolingPath], "embedding_dimension"));
  if (hidden !== undefined && pooled !== undefined && hidden !== pooled) {
    throw new UsageError(
      `config.json says that vectors have ${hidden} numbers, ${poolingPath} says ${pooled}: the files belong to different models`,
    );
  }
  const dimension = (densePath === null ? undefined : numberAt(json[densePath], "out_features")) ?? hidden ?? pooled;
  if (dimension === undefined || !Number.isInteger(dimension) || dimension < 1)
    throw new UsageError(`config.json: expected hidden_size, a whole number of at least 1, got ${dimension}`);
  return dimension;
}

/**
 * Makes the manifest of a directory that has none, from the files that sentence-transformers and Hugging Face's exporters write.
 * @param id name of the model on this machine
 * @param revision tells two states of the directory apart
 * @param catalogue the model's pooling by the catalogue, for files that don't state it; null: it is not in there
 * @returns also notes for people: assumptions made because no file says otherwise
 * @throws UsageError when files are missing, contradict each other, or need something that this program can't do.
 */
export function describeModelDirectory(
  id: string,
  revision: string,
  { files, json }: ModelDirectoryFiles,
  catalogue: ModelManifest["pooling"] | null = null,
): { readonly manifest: ModelManifest; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const onnxPaths = files.map(({ path }) => path).filter((path) => /^(onnx\/)?[^/]+\.onnx$/i.test(path));
  if (onnxPaths.length === 0) throw new UsageError("expected model.onnx or onnx/model*.onnx, got no ONNX file");
  if (!isRecord(json["config.json"])) throw new UsageError("expected config.json, which describes the model");

  const modules = describeModules(json["modules.json"]);
  const pathsOf = (type: string) =>
    modules.filter((module) => module.type === type).map(({ path }) => `${path}/config.json`);
  // Of several dense layers the last one makes the vector.
  const densePath = pathsOf("Dense").at(-1) ?? null;
  const firstPooling = Object.keys(json).find((path) => /^\d+_Pooling\//.test(path)) ?? null;
  const poolingPath = pathsOf("Pooling")[0] ?? firstPooling;

  const labels = describeLabels(json["config.json"]);
  const spladePath = pathsOf("SpladePooling")[0] ?? null;
  const vocabulary = spladePath === null ? null : describeSplade(json["config.json"], json[spladePath], spladePath);
  const pooling = () => {
    if (vocabulary !== null) return "splade";
    if (labels !== null || densePath !== null) return "model";
    const config = poolingPath === null ? undefined : json[poolingPath];
    if (modules.length > 0 && poolingPath !== null && config === undefined && catalogue === null)
      throw new UsageError(`modules.json: expected the file ${poolingPath}, which does not exist`);
    if (isRecord(config) && config["include_prompt"] === false && Object.values(prompts).some((text) => text !== ""))
      throw new UsageError(`${poolingPath}: include_prompt: expected true, got false: prompts are always pooled here`);
    const architectures = (json["config.json"] as { readonly architectures?: unknown }).architectures;
    return describePooling(config, poolingPath ?? "1_Pooling/config.json", { catalogue, architectures }, notes);
  };
  const prompts = textsAt(json["config_sentence_transformers.json"], "prompts");
  const defaultPrompt = stringAt(json["config_sentence_transformers.json"], "default_prompt_name") ?? null;
  if (defaultPrompt !== null && prompts[defaultPrompt] === undefined) {
    throw new UsageError(
      `config_sentence_transformers.json: default_prompt_name is "${defaultPrompt}", which is not among its prompts`,
    );
  }
  const settings = transformerSettings(json);
  const bytesOf = (onnxPath: string) =>
    files.filter(({ path }) => path.startsWith(onnxPath)).reduce((sum, { bytes }) => sum + bytes, 0);
  const wide = /16$/.test(stringAt(json["config.json"], "torch_dtype") ?? "") ? "fp16" : "fp32";
  const weights = [
    ...onnxPaths.map((path) => bytesOf(path) / bytesPerWeight[parseOnnxName(path).precision]),
    bytesOf("model.safetensors") / bytesPerWeight[wide],
  ];
  return {
    manifest: {
      id,
      name: id,
      aliases: [],
      revision,
      licence: "unknown",
      source: {},
      files: Object.fromEntries(files.map(({ path, bytes }) => [path, { bytes }])),
      onnx: onnxPaths.map(parseOnnxName),
      kind: vocabulary !== null ? "sparse" : labels === null ? "embedding" : "cross-encoder",
      dimension: vocabulary ?? labels?.count ?? describeDimension(json, poolingPath, densePath),
      pooling: pooling(),
      relevantLabel: labels?.relevant ?? 0,
      // Without modules.json the reference is unknown: requests get normalised vectors unless they say otherwise.
      normalise: modules.length === 0 || modules.some(({ type }) => type === "Normalize"),
      maxTokens: Math.max(3, describeMaxTokens(json, notes)),
      firstPosition: describeFirstPosition(json["config.json"]),
      lowercase: isRecord(settings) && settings["do_lower_case"] === true,
      prompts,
      defaultPrompt,
      params: Math.max(1, Math.round(Math.max(...weights))),
    },
    notes,
  };
}
