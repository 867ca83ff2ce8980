import { type Static, Type } from "@sinclair/typebox";

import type { ModelFileToCheck } from "./files/hash-model-files.ts";

const strict = { additionalProperties: false } as const;
const ModelFile = Type.Object(
  { sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })), bytes: Type.Integer({ minimum: 0 }) },
  strict,
);

/** How the numbers of an ONNX file are held: `int8` and `q4` are weights of 8 and 4 bits. */
export const Precision = Type.Union([
  Type.Literal("fp32"),
  Type.Literal("fp16"),
  Type.Literal("int8"),
  Type.Literal("q4"),
]);
export type Precision = Static<typeof Precision>;

/** One of the ONNX files of a model. What is not said follows from its name. */
const OnnxFile = Type.Object(
  {
    /** Inside the model's directory. */
    path: Type.String({ minLength: 1 }),
    precision: Type.Optional(Precision),
    /** The processors it was made for. */
    architecture: Type.Optional(Type.Union([Type.Literal("any"), Type.Literal("x64"), Type.Literal("arm64")])),
  },
  strict,
);
export type OnnxFile = Static<typeof OnnxFile>;

/** `manifest.json` of a model's directory: what the model is, and what its files must be. */
export const ModelManifest = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.String({ maxLength: 256 }),
    /** Other names that requests may use. */
    aliases: Type.Array(Type.String({ maxLength: 128 }), { maxItems: 32, default: [] }),
    revision: Type.String({ maxLength: 128 }),
    licence: Type.String(),
    source: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** The files by their paths in the model's directory; one without sha256 is taken as it is. */
    files: Type.Record(Type.String(), ModelFile, { default: {} }),
    /** The ONNX files there are to choose from, which differ in precision only. */
    onnx: Type.Array(OnnxFile, { minItems: 1, default: [{ path: "model.onnx" }] }),
    /** `embedding`: a text becomes a vector. `cross-encoder`: a pair of texts becomes one number for each of its labels. */
    kind: Type.Union([Type.Literal("embedding"), Type.Literal("cross-encoder")], { default: "embedding" }),
    /** Length of a vector; of a cross-encoder, the number of its labels. */
    dimension: Type.Integer({ minimum: 1 }),
    /**
     * How token vectors become one: their mean, the first, or the last of the text's own. `model`: the ONNX file does it, and more
     * than this program could (a layer after the pooling).
     */
    pooling: Type.Union(
      [Type.Literal("mean"), Type.Literal("cls"), Type.Literal("last-token"), Type.Literal("model")],
      { default: "mean" },
    ),
    /** Whether the reference implementation scales vectors to length 1. */
    normalise: Type.Boolean(),
    /** Longer texts are cut, special tokens included. */
    maxTokens: Type.Integer({ minimum: 3 }),
    /** Whether texts are turned to lower case before anything else. */
    lowercase: Type.Boolean({ default: false }),
    /** What may be put before a text, by name: `query`, `document`, … */
    prompts: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** The prompt of requests that name none. */
    defaultPrompt: Type.Union([Type.String(), Type.Null()], { default: null }),
    /** Of a cross-encoder with several labels: which of them says that a text is relevant. */
    relevantLabel: Type.Integer({ minimum: 0, default: 0 }),
    /** Number of its weights. */
    params: Type.Integer({ minimum: 1 }),
  },
  strict,
);
export type ModelManifest = Static<typeof ModelManifest>;

/** A model that was found: its manifest and where its files are. */
export interface FoundModel {
  readonly manifest: ModelManifest;
  /** The ONNX file that was chosen among the manifest's. */
  readonly modelPath: string;
  readonly precision: Precision;
  /** What the ONNX file must be; null: it is taken as it is. */
  readonly modelSha256: string | null;
  readonly tokenizerPath: string;
  readonly tokenizerSha256: string | null;
  /** All the files on which its vectors depend, as far as they are known without reading the ONNX file; none inside the executable. */
  readonly files: readonly ModelFileToCheck[];
  /** The parsed tokenizer_config.json; empty where there is none. */
  readonly tokenizerConfig: object;
  /** For people: where it was found. */
  readonly origin: string;
  /** For people: what was assumed where the model's files say nothing, and why this ONNX file was chosen. */
  readonly notes: readonly string[];
}
