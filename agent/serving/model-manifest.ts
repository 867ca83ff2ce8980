import { type Static, Type } from "@sinclair/typebox";

const strict = { additionalProperties: false } as const;
const ModelFile = Type.Object(
  { sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }), bytes: Type.Integer({ minimum: 1 }) },
  strict,
);

/** `manifest.json` of a model's directory: what the model is, and what its files must be. */
export const ModelManifest = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.String({ maxLength: 256 }),
    /** Other names that requests may use. */
    aliases: Type.Array(Type.String({ maxLength: 128 }), { maxItems: 32 }),
    revision: Type.String({ maxLength: 128 }),
    licence: Type.String(),
    source: Type.Record(Type.String(), Type.String()),
    files: Type.Object({ "model.onnx": ModelFile, "tokenizer.json": ModelFile }, strict),
    dimension: Type.Integer({ minimum: 1 }),
    /** How token vectors become one: the mean over the tokens of the text. */
    pooling: Type.Literal("mean"),
    /** Whether the reference implementation scales vectors to length 1. */
    normalise: Type.Boolean(),
    /** Longer texts are cut, special tokens included. */
    maxTokens: Type.Integer({ minimum: 3 }),
    params: Type.Integer({ minimum: 1 }),
  },
  strict,
);
export type ModelManifest = Static<typeof ModelManifest>;

/** A model that was found: its manifest and where its files are. */
export interface FoundModel {
  readonly manifest: ModelManifest;
  readonly modelPath: string;
  readonly tokenizerPath: string;
  /** For people: where it was found. */
  readonly origin: string;
}
