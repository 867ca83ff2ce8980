import type { TObject } from "@sinclair/typebox";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";

interface ForeignField {
  /** Values that change nothing. */
  readonly neutral: readonly unknown[];
  readonly instead: string;
}

const cut: ForeignField = { neutral: [], instead: "dimensions cuts vectors" };
const numbers: ForeignField = {
  neutral: ["float", "float32"],
  instead: "vectors are of 32-bit numbers; /v1/embeddings has encoding_format: base64",
};
const instruction: ForeignField = { neutral: [""], instead: "prompt_name names one of the model's prompts" };
const scale = (neutral: readonly unknown[]): ForeignField => ({
  neutral,
  instead: "vectors have length 1 here; /embed and /api/v1/embed have normalize",
});
const pooling: ForeignField = { neutral: [], instead: "the model's own pooling is used" };
const onlyDense = (neutral: unknown): ForeignField => ({
  neutral: [neutral],
  instead: "/embed_sparse makes sparse vectors, /embed_all the vectors of all tokens",
});
const scores = (neutral: readonly unknown[]): ForeignField => ({
  neutral,
  instead: "scores are 0 to 1; /rerank has raw_scores",
});

/** Fields of other servers' requests that ask for another answer, by name. A route's own field of this name counts before. */
export const foreignFields: Readonly<Record<string, ForeignField>> = {
  activation: scores([true]),
  add_special_tokens: { neutral: [true], instead: "the model's special tokens are always added" },
  apply_softmax: scores([]),
  custom_instruction: instruction,
  default_instruction: instruction,
  dimension: cut,
  dtype: numbers,
  embd_normalize: scale([2]),
  embed_dtype: numbers,
  embedding_type: numbers,
  embedding_types: numbers,
  encoding_format: { neutral: ["float"], instead: "/v1/embeddings has encoding_format" },
  endianness: { neutral: ["native", "little"], instead: "base64 holds little-endian numbers" },
  instruct: instruction,
  instruction,
  late_chunking: { neutral: [false], instead: "each text is computed by itself" },
  matryoshka_dim: cut,
  modality: { neutral: ["text"], instead: "inputs are texts" },
  normalize: scale([true]),
  normalize_embeddings: scale([true]),
  normalized: scale([true]),
  output_dimension: cut,
  output_dimensionality: cut,
  output_dtype: numbers,
  output_type: onlyDense("dense"),
  outputDimensionality: cut,
  pooling,
  pooling_method: pooling,
  pooling_type: pooling,
  prompt: instruction,
  prompt_template: instruction,
  rank_fields: { neutral: ["text"], instead: "documents are ranked by their text" },
  raw_scores: scores([false]),
  return_embeddings: { neutral: [false], instead: "/v1/embeddings makes vectors" },
  return_multivector: onlyDense(false),
  return_sparse: onlyDense(false),
  softmax: scores([]),
  stream: { neutral: [false], instead: "an answer is sent as a whole" },
  top_k: { neutral: [], instead: "/v1/rerank has top_n" },
  truncate_dim: cut,
  truncation: { neutral: [true], instead: "truncate: false refuses texts that are longer than the model reads" },
  truncation_side: { neutral: [], instead: "truncation_direction: Left or Right says where texts are cut" },
  use_activation: scores([true]),
};

/** Fields of clients that mean nothing for vectors and scores, whatever their values. */
export const idleFields: ReadonlySet<string> = new Set([
  "cache_salt",
  "extra_headers",
  // Cohere's: long documents are not split here.
  "max_chunks_per_doc",
  "metadata",
  "priority",
  "request_id",
  "safety_identifier",
  "seed",
  "service_tier",
  "store",
  "timeout",
  "user",
]);

/**
 * Refuses fields of other servers' requests that ask for another answer than the one that would be given, and removes those that change nothing.
 * The route's schema then checks the fields that are left, and refuses those that it does not know: none is dropped silently.
 * @param own names of the route's own fields
 * @throws ServiceError INVALID_REQUEST
 */
export function refuseForeignFields(body: unknown, own: Readonly<Record<string, unknown>>): void {
  if (typeof body !== "object" || body === null) return;
  const fields = body as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (Object.hasOwn(own, name)) continue;
    const foreign = Object.hasOwn(foreignFields, name) ? foreignFields[name] : undefined;
    if (foreign === undefined) {
      if (idleFields.has(name)) delete fields[name];
      continue;
    }
    const value = fields[name];
    const values = Array.isArray(value) ? value : [value];
    if (value !== null && !values.every((each) => foreign.neutral.includes(each))) {
      const expected = foreign.neutral.length === 0 ? "none" : JSON.stringify(foreign.neutral[0]);
      throw new ServiceError(
        "INVALID_REQUEST",
        `${name}: expected ${expected}, got ${JSON.stringify(value).slice(0, 100)}: ${foreign.instead}`,
        { details: { param: name } },
      );
    }
    delete fields[name];
  }
}

/**
 * Refuses fields of the body that come in the query, where they would not be seen.
 * @throws ServiceError INVALID_REQUEST
 */
function refuseFieldsInQuery(url: string, own: Readonly<Record<string, unknown>>): void {
  const start = url.indexOf("?");
  if (start < 0) return;
  for (const name of new URLSearchParams(url.slice(start)).keys()) {
    if (!Object.hasOwn(own, name) && !Object.hasOwn(foreignFields, name)) continue;
    throw new ServiceError("INVALID_REQUEST", `query: ${name}: expected in the body, got it in the address`, {
      details: { param: name },
    });
  }
}

/** Creates `parse` and `body` of a route for texts: fields of other servers are obeyed, refused, or known to change nothing. */
export function requestBody<T extends TObject>(schema: T) {
  return jsonBody(schema, undefined, (body, { url }) => {
    refuseFieldsInQuery(url, schema.properties);
    refuseForeignFields(body, schema.properties);
  });
}
