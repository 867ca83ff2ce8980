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
 * Refuses pairs for embedding models, texts for cross-encoders, and requests for sparse vectors of other models or for other vectors of sparse ones.
 * @throws ServiceError INVALID_REQUEST, or UNSUPPORTED_BY_MODEL for sparse vectors
 */
export function refuseUnlessForKind(
  { id, kind }: Pick<ModelManifest, "id" | "kind">,
  { inputs, sparse = false }: { readonly inputs: readonly TextInput[]; readonly sparse?: boolean | undefined },
) {
  if (sparse && kind !== "sparse") {
    const message = `model: expected one that makes sparse vectors (SPLADE), got ${id}`;
    throw new ServiceError("UNSUPPORTED_BY_MODEL", message, { details: { param: "model" } });
  }
  const pairs = inputs.some(isPair);
  if (kind === "sparse" && !sparse && !pairs) {
    const message = `model: expected an embedding model, got ${id}, which makes sparse vectors (POST /embed_sparse)`;
    throw new ServiceError("INVALID_REQUEST", message, { details: { param: "model" } });
  }
  if (pairs === (kind === "cross-encoder")) return;
  const message = pairs
    ? `model: expected a cross-encoder, got ${id}, which makes vectors of texts`
    : `model: expected an embedding model, got ${id}, a cross-encoder: it ranks texts (POST /rerank or /v1/rerank)`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "model" } });
}
