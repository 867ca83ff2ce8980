import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { ServiceError } from "#platform/errors.ts";

/** Two texts that a cross-encoder reads together: a question and what may answer it. */
export interface TextPair {
  readonly first: string;
  readonly second: string;
}

/** What a model reads: a text, token ids as a client has them, or a pair. */
export type TextInput = string | readonly number[] | TextPair;

export const isPair = (input: TextInput): input is TextPair => typeof input === "object" && "first" in input;

/**
 * Pairs are for cross-encoders, texts for embedding models.
 * @throws ServiceError INVALID_REQUEST naming what the model can be asked for.
 */
export function refuseUnlessForKind({ id, kind }: Pick<ModelManifest, "id" | "kind">, inputs: readonly TextInput[]) {
  const pairs = inputs.some(isPair);
  if (pairs === (kind === "cross-encoder")) return;
  const message = pairs
    ? `model: expected a cross-encoder, got ${id}, which makes vectors of texts`
    : `model: expected an embedding model, got ${id}, a cross-encoder: it ranks texts (POST /rerank or /v1/rerank)`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "model" } });
}
