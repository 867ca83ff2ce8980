import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import {
  EmbeddingInputs,
  embeddingErrors,
  embeddingFields,
  embeddingHeaders,
  embeddingRequest,
  inputsOf,
  truncationDirection,
} from "./embedding-requests.ts";
import { requestBody } from "./refuse-foreign-fields.ts";
import { writeAnswer, writeNestedAnswer } from "./write-answer.ts";
import { writeVectorJson } from "./write-vector.ts";

const { dimensions: _pooledOnly, ...fields } = embeddingFields;

/** text-embeddings-inference's request. */
const TokenVectorsBody = (rules: InputRules) =>
  Type.Object(
    { ...fields, inputs: EmbeddingInputs(rules), truncation_direction: truncationDirection },
    { additionalProperties: false, example: { inputs: ["one robot"] } },
  );
type TokenVectorsBody = Static<ReturnType<typeof TokenVectorsBody>>;

const SparseVector = Type.Array(Type.Object({ index: Type.Integer(), value: Type.Number() }));

/** Writes the values of a sparse vector that are not 0, with their indices. */
function writeSparseJson(vector: Float32Array): string {
  const values: string[] = [];
  for (const [index, value] of vector.entries()) if (value !== 0) values.push(`{"index":${index},"value":${value}}`);
  return `[${values.join(",")}]`;
}

/**
 * `POST /embed_all` and `POST /embed_sparse` in the shapes of text-embeddings-inference.
 * @param firstSparseModel id of the model for requests for sparse vectors that name none; null: the default model, which refuses them
 */
export function tokenVectorRoutes(embedder: Embedder, rules: InputRules, firstSparseModel: () => string | null) {
  const embed = (body: TokenVectorsBody, request: Request, kind: { sparse?: true; everyToken?: true }) => {
    const common = embeddingRequest(body, request);
    const name = common.model ?? (kind.sparse === true ? (firstSparseModel() ?? undefined) : undefined);
    return embedder.embed({ ...common, ...kind, model: name, inputs: inputsOf(body.inputs), inputsField: "inputs" });
  };
  return new Elysia()
    .post(
      "/embed_all",
      async ({ body, request }) => {
        const result = await embed(body, request, { everyToken: true });
        return writeNestedAnswer(result.vectors, result.dimension, writeVectorJson, result);
      },
      {
        ...requestBody(TokenVectorsBody(rules)),
        detail: describeRoute({
          summary: "Vectors of all tokens of texts, in text-embeddings-inference's format",
          tag: "embeddings",
          headers: embeddingHeaders,
          answer: {
            description:
              "For each text a list with one vector per token, including special tokens, neither pooled nor scaled to length 1.",
            schema: Type.Array(Type.Array(Type.Array(Type.Number()))),
            example: [
              [
                [0.2613, -0.4706],
                [0.7914, 0.2889],
                [0.1573, -0.8837],
              ],
            ],
          },
          errors: {
            ...embeddingErrors,
            UNSUPPORTED_BY_MODEL:
              "model: expected one with an output of token vectors, got pooled, whose file has none",
          },
        }),
      },
    )
    .post(
      "/embed_sparse",
      async ({ body, request }) => {
        const result = await embed(body, request, { sparse: true });
        return writeAnswer("[", result.vectors, writeSparseJson, "]", result);
      },
      {
        ...requestBody(TokenVectorsBody(rules)),
        detail: describeRoute({
          summary: "Sparse vectors of texts (SPLADE), in text-embeddings-inference's format",
          tag: "embeddings",
          headers: embeddingHeaders,
          answer: {
            description:
              "For each text the vocabulary's tokens that have a weight, by id. Without a model, the first sparse one is used.",
            schema: Type.Array(SparseVector),
            example: [
              [
                { index: 8957, value: 2.1316 },
                { index: 2028, value: 0.7072 },
              ],
            ],
          },
          errors: {
            ...embeddingErrors,
            UNSUPPORTED_BY_MODEL: "model: expected one that makes sparse vectors (SPLADE), got all-MiniLM-L6-v2",
          },
        }),
      },
    );
}
