import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { isPair, refuseUnlessForKind, type TextInput } from "#agent/serving/text/text-input.ts";
import { ServiceError } from "#platform/errors.ts";

function refuseMoreDimensions({ found }: EmbeddingModel, { dimensions }: EmbedRequest): void {
  const { id, dimension } = found.manifest;
  if (dimensions === undefined || dimensions <= dimension) return;
  throw new ServiceError("INVALID_REQUEST", `dimensions: expected 1 to ${dimension} for ${id}, got ${dimensions}`, {
    details: { param: "dimensions" },
  });
}

function refuseFewerTokens({ found, tokenizer }: EmbeddingModel, { tokenLimits = [] }: EmbedRequest): void {
  const { id } = found.manifest;
  const { maxTokens } = tokenizer.idMarks;
  const below = tokenLimits.find(({ tokens }) => tokens < maxTokens);
  if (below === undefined) return;
  const { field, tokens } = below;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${field}: expected at least ${maxTokens}, the tokens that ${id} reads, got ${tokens}`,
    { details: { param: field } },
  );
}

/**
 * Returns a request's inputs with texts in place of token ids, where the model's ids are read so.
 * @throws ServiceError INVALID_REQUEST naming the list that is of another vocabulary
 */
export function textsOfIds({ decodeIds }: Pick<EmbeddingModel, "decodeIds">, { inputs, inputsField }: EmbedRequest) {
  if (decodeIds === null) return inputs;
  return inputs.map((input, index): TextInput => {
    if (typeof input === "string" || isPair(input)) return input;
    const text = decodeIds(input);
    if (text !== null) return text;
    const message = `${inputsField}.${index}: expected ids of text in cl100k_base, as serving.tokenIds says, got others`;
    throw new ServiceError("INVALID_REQUEST", message, { details: { param: inputsField } });
  });
}

/** A model whose process is still being started may have none: its batch fails then. */
function refuseWithoutTokenVectors({ found, runner }: EmbeddingModel, { everyToken = false }: EmbedRequest): void {
  if (!everyToken || runner.process?.tokenVectors !== false) return;
  const message = `model: expected one with an output of token vectors, got ${found.manifest.id}, whose file has none`;
  throw new ServiceError("UNSUPPORTED_BY_MODEL", message, { details: { param: "model" } });
}

/** Refuses a request for something that its model can't do. @throws ServiceError INVALID_REQUEST | UNSUPPORTED_BY_MODEL */
export function refuseUnsuitable(model: EmbeddingModel, request: EmbedRequest): void {
  refuseUnlessForKind(model.found.manifest, request);
  refuseMoreDimensions(model, request);
  refuseFewerTokens(model, request);
  refuseWithoutTokenVectors(model, request);
}
