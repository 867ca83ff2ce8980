import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";
import { decodeVector } from "./peer-message.ts";

/** Maximum numbers of a vector. */
export const maxDimension = 65_536;

/**
 * Returns a request's texts in OpenAI's format, each after its prompt. Such a server gets nothing but texts.
 * @param model the prompts of the model here; null: this agent does not have it
 * @returns null for a request that it might answer with other vectors
 */
export function offerTexts(
  { inputs, promptName, textKinds, sparse = false, truncate, truncationSide, tokenLimits }: EmbedRequest,
  model: Pick<ModelManifest, "id" | "prompts" | "defaultPrompt"> | null,
): readonly string[] | null {
  if (sparse || truncate === false || truncationSide === "left" || tokenLimits !== undefined) return null;
  const texts = inputs.filter((input) => typeof input === "string");
  if (texts.length < inputs.length) return null;
  if (model === null) return promptName === undefined && textKinds === undefined ? texts : null;
  // Nobody knows whether the server puts the default prompt there by itself.
  if (model.defaultPrompt !== null) return null;
  return applyPrompt(model, { promptName, textKinds }, texts).inputs;
}

/** Reads the vectors of an answer in OpenAI's form. @returns them and the tokens, or what is wrong. */
export function readOpenAiAnswer(
  answer: unknown,
  inputs: number,
): { readonly vectors: Float32Array[]; readonly tokens: number } | string {
  const { data, usage } = (answer ?? {}) as { data?: unknown; usage?: { total_tokens?: unknown } };
  if (!Array.isArray(data)) return "no vectors";
  if (data.length !== inputs) return `${data.length} vectors for ${inputs} texts`;
  const vectors: Float32Array[] = [];
  for (const [place, entry] of data.entries()) {
    const { embedding, index = place } = (entry ?? {}) as { embedding?: unknown; index?: unknown };
    const vector = toVector(embedding);
    if (vector === null || vector.length === 0 || vector.length > maxDimension) return "invalid vectors";
    if (
      typeof index !== "number" ||
      !Number.isInteger(index) ||
      index < 0 ||
      index >= inputs ||
      vectors[index] !== undefined
    )
      return "vectors in an unknown order";
    vectors[index] = vector;
  }
  if (vectors.some(({ length }) => length !== vectors[0]?.length)) return "vectors of several lengths";
  const tokens = usage?.total_tokens;
  return { vectors, tokens: typeof tokens === "number" && tokens >= 0 && Number.isSafeInteger(tokens) ? tokens : 0 };
}

function toVector(embedding: unknown): Float32Array | null {
  if (typeof embedding === "string") {
    const bytes = Buffer.byteLength(embedding, "base64");
    return bytes % 4 === 0 ? decodeVector(embedding, bytes / 4) : null;
  }
  if (!Array.isArray(embedding)) return null;
  const vector = Float32Array.from(embedding as number[]);
  return embedding.every((value) => typeof value === "number") && vector.every(Number.isFinite) ? vector : null;
}
