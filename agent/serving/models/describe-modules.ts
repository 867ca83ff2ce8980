import { UsageError } from "#platform/errors.ts";
import { isRecord, stringAt } from "./json-fields.ts";

/** A module of modules.json: the last part of its type (Transformer, Pooling, Dense, Normalize) and its directory. */
export interface ModelModule {
  readonly type: string;
  readonly path: string;
}

const ownPackage = /^sentence_transformers\./;
const known: readonly string[] = [
  "Transformer",
  "Pooling",
  "Dense",
  "Normalize",
  "CrossEncoder",
  "Dropout",
  "MLMTransformer",
  "SpladePooling",
  "",
];

/**
 * Lists the modules of modules.json.
 * @throws UsageError for one that can't be computed here, of another package than sentence-transformers, or in a directory that isn't read.
 */
export function describeModules(modules: unknown): readonly ModelModule[] {
  if (!Array.isArray(modules)) return [];
  return modules.filter(isRecord).map((module) => {
    const fullType = stringAt(module, "type") ?? "";
    const type = fullType.split(".").at(-1) ?? "";
    const path = (stringAt(module, "path") ?? "").replace(/\/+$/, "");
    if (!known.includes(type)) throw new UsageError(`modules.json: modules of type ${type} are not supported`);
    if (type !== "" && !ownPackage.test(fullType))
      throw new UsageError(
        `modules.json: expected a module of sentence_transformers, got ${fullType}, which is the model's own code`,
      );
    if (type.endsWith("Transformer") && path !== "")
      throw new UsageError(`modules.json: expected the Transformer's files beside modules.json, got them in ${path}`);
    return { type, path };
  });
}

/** Older names of the Transformer's own file, in the order in which sentence-transformers looks for them. */
const transformerFiles = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"].map(
  (name) => `sentence_${name}_config.json`,
);

/** JSON files that describe a model; tokenizer.json, which is large, is read later. */
const describingFiles: readonly string[] = [
  "config.json",
  "modules.json",
  ...transformerFiles,
  "config_sentence_transformers.json",
  "tokenizer_config.json",
];

/** Configuration file of a module of modules.json. */
const modulePath = /^(?!onnx\/|openvino\/)[^/]+\/config\.json$/;

export const describesModel = (path: string) => describingFiles.includes(path) || modulePath.test(path);

/** Returns the Transformer's own settings: the longest text, and its case. */
export const transformerSettings = (json: Readonly<Record<string, unknown>>): unknown =>
  json[transformerFiles.find((path) => json[path] !== undefined) ?? ""];
