import { type Static, Type } from "@sinclair/typebox";
import { literals, strict } from "#platform/schema-parts.ts";
import type { ModelFileToCheck } from "./files/hash-model-files.ts";

const ModelFile = Type.Object(
  { sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })), bytes: Type.Integer({ minimum: 0 }) },
  strict,
);

/** Number format of an ONNX file; `int8` and `q4` are weights of 8 and 4 bits. */
export const Precision = literals("fp32", "fp16", "int8", "q4");
export type Precision = Static<typeof Precision>;

/** One of the ONNX files of a model. Missing fields follow from its name. */
const OnnxFile = Type.Object(
  {
    /** Path inside the model's directory. */
    path: Type.String({ minLength: 1 }),
    precision: Type.Optional(Precision),
    /** Processors that it was made for. */
    architecture: Type.Optional(literals("any", "x64", "arm64")),
  },
  strict,
);
export type OnnxFile = Static<typeof OnnxFile>;

/** Ways to make one vector of a text's token vectors. */
export const Pooling = literals(
  "mean",
  "cls",
  "last-token",
  "max",
  "mean-sqrt-length",
  "weighted-mean",
  "model",
  "splade",
);

/** Schema of `manifest.json` in a model's directory: describes the model and its files. */
export const ModelManifest = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.String({ maxLength: 256 }),
    /** Other names that requests may use. */
    aliases: Type.Array(Type.String({ maxLength: 128 }), { maxItems: 32, default: [] }),
    revision: Type.String({ maxLength: 128 }),
    licence: Type.String(),
    source: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** Files by their paths in the model's directory; one without sha256 is not checked. */
    files: Type.Record(Type.String(), ModelFile, { default: {} }),
    /** ONNX files to choose from, which differ in precision only. */
    onnx: Type.Array(OnnxFile, { minItems: 1, default: [{ path: "model.onnx" }] }),
    /**
     * `embedding`: a text becomes a vector. `cross-encoder`: a pair of texts becomes one number for each label. `sparse`: a text becomes weights
     * of the vocabulary's tokens, most of them 0 (SPLADE).
     */
    kind: { ...literals("embedding", "cross-encoder", "sparse"), default: "embedding" },
    /** Length of a vector; of a cross-encoder, the number of its labels; of a sparse model, the size of its vocabulary. */
    dimension: Type.Integer({ minimum: 1 }),
    /**
     * Pooling of token vectors to one: their mean, the first, the last of the text's own, the maximum of each value, the mean times the
     * square root of their number, or the mean by position (the second token counts twice). `model`: the ONNX file pools itself, for
     * example because a layer follows the pooling. `splade`: the largest weight of each vocabulary token that a text's tokens give it.
     */
    pooling: { ...Pooling, default: "mean" },
    /** Position of a text's first token, for ONNX files that are fed positions: 0, or 2 for RoBERTa. */
    firstPosition: Type.Integer({ minimum: 0, maximum: 1_024, default: 0 }),
    /** True when the reference implementation scales vectors to length 1. */
    normalise: Type.Boolean(),
    /** Tokens of the longest text, special tokens included; longer texts are cut. */
    maxTokens: Type.Integer({ minimum: 3 }),
    /** True when texts are turned to lower case first. */
    lowercase: Type.Boolean({ default: false }),
    /** Prefixes for texts by name: `query`, `document`, … */
    prompts: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** Name of the prompt of requests that name none. */
    defaultPrompt: Type.Union([Type.String(), Type.Null()], { default: null }),
    /** Index of the label that means "relevant", of a cross-encoder with several. */
    relevantLabel: Type.Integer({ minimum: 0, default: 0 }),
    params: Type.Integer({ minimum: 1 }),
  },
  strict,
);
export type ModelManifest = Static<typeof ModelManifest>;

/** A model that was found: its manifest and the paths of its files. */
export interface FoundModel {
  readonly manifest: ModelManifest;
  readonly modelPath: string;
  readonly precision: Precision;
  /** Expected hash of the ONNX file; null: it is not checked. */
  readonly modelSha256: string | null;
  readonly tokenizerPath: string;
  readonly tokenizerSha256: string | null;
  /** Files on which the vectors depend, as far as they are known without reading the ONNX file; none inside the executable. */
  readonly files: readonly ModelFileToCheck[];
  /** Parsed tokenizer_config.json; empty when there is none. */
  readonly tokenizerConfig: object;
  /** For people: the place where it was found. */
  readonly origin: string;
  /** For people: why this ONNX file was chosen, and assumptions where the model's files say nothing. */
  readonly notes: readonly string[];
}
