import { type Static, Type } from "@sinclair/typebox";
import { optional } from "#platform/http/optional-field.ts";
import { literals, strict } from "#platform/schema-parts.ts";
import { bounds, count, text } from "#protocol/bounds.ts";

/** Path of the route by which agents answer each other's requests. */
export const peerPath = "/api/v1/mesh/embed";

const Pair = Type.Object({ first: Type.String(), second: Type.String() }, strict);
const TokenIds = Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), { minItems: 1, maxItems: 131_072 });

/** A request that another agent passes on. */
export const PeerRequest = (maxInputs: number) =>
  Type.Object(
    {
      model: text(128),
      space: { ...text(64), description: "fingerprint of the requested vectors" },
      inputs: Type.Array(Type.Union([Type.String(), TokenIds, Pair]), { minItems: 1, maxItems: maxInputs }),
      inputsField: { ...text(64), description: "name of the inputs in the client's request" },
      tenant: { ...text(64), description: "tenant that the request belongs to" },
      dimensions: optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
      truncate: optional(Type.Boolean()),
      promptName: optional(Type.String({ maxLength: 128 })),
      textKinds: optional(
        Type.Array(Type.Object({ field: text(64), value: text(128) }, strict), {
          maxItems: 8,
          description: "kind of texts, as given by the client",
        }),
      ),
      tokenLimits: optional(
        Type.Array(Type.Object({ field: text(64), tokens: count(2 ** 31 - 1) }, strict), {
          maxItems: 8,
          description: "length in tokens at which the client wants texts cut",
        }),
      ),
      tokenIds: optional({
        ...literals("marked", "own", "cl100k_base", "none"),
        description: "with token ids: how the requesting agent reads them; null: it does not have the model",
      }),
      truncationSide: optional(literals("left", "right")),
      sparse: optional(Type.Boolean({ description: "the vectors of a sparse model" })),
      budgetMs: Type.Number({ minimum: 0.001, maximum: 86_400_000, description: "time left" }),
    },
    {
      ...strict,
      example: {
        ...{ model: "all-MiniLM-L6-v2", space: "0f3a5c7e9b1d2f40", inputs: ["a robot arm"], inputsField: "input" },
        ...{ tenant: "default", dimensions: null, truncate: null, promptName: null, budgetMs: 250 },
      },
    },
  );
export type PeerRequest = Static<ReturnType<typeof PeerRequest>>;

/** Its answer. */
export const PeerAnswer = Type.Object(
  {
    model: text(128),
    space: text(64),
    dimension: Type.Integer({ minimum: 1, maximum: 65_536 }),
    relevantLabel: count(65_536),
    vectors: Type.Array(Type.String(), { description: "base64 of little-endian 32-bit numbers" }),
    tokens: count(bounds.tokens),
    truncatedInputs: count(bounds.texts),
    prompt: optional(Type.String({ maxLength: 128, description: "name of the prompt, if textKinds was given" })),
  },
  strict,
);
export type PeerAnswer = Static<typeof PeerAnswer>;

export function encodeVector(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}

/** Decodes a vector; null for anything that is no vector of this dimension, or not finite. */
export function decodeVector(encoded: string, dimension: number): Float32Array | null {
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.byteLength !== dimension * 4) return null;
  const vector = new Float32Array(dimension);
  for (let index = 0; index < dimension; index += 1) {
    const value = bytes.readFloatLE(index * 4);
    if (!Number.isFinite(value)) return null;
    vector[index] = value;
  }
  return vector;
}
