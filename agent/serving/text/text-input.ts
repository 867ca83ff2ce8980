import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { ServiceError } from "#platform/errors.ts";

/** Two texts that a cross-encoder reads together: a query and a text to rank by it. */
export interface TextPair {
  readonly first: string;
  readonly second: string;
}

/** Input of a model: a text, token ids from the client, or a pair. */
export type TextInput = string | readonly number[] | TextPair;

export const isPair = (input: TextInput): input is TextPair => typeof input === "object" && "first" in input;

/**
 * Refuses pairs for embedding models, and texts for cross-encoders.
 * @throws ServiceError INVALID_REQUEST
 */
export function refuseUnlessForKind({ id, kind }: Pick<ModelManifest, "id" | "kind">, inputs: readonly TextInput[]) {
  const pairs = inputs.some(isPair);
  if (pairs === (kind === "cross-encoder")) return;
  const message = pairs
    ? `model: expected a cross-encoder, got ${id}, which makes vectors of texts`
    : `model: expected an embedding model, got ${id}, a cross-encoder: it ranks texts (POST /rerank or /v1/rerank)`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "model" } });
}
