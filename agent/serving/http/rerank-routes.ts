import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Reranker, RerankResult } from "#agent/serving/admission/rerank-texts.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import { answerJson } from "#platform/http/answer-text.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { optional } from "#platform/http/optional-field.ts";
import { cutOf, embeddingErrors, embeddingHeaders, requestContext, truncationDirection } from "./embedding-requests.ts";
import { requestBody } from "./refuse-foreign-fields.ts";
import { saidLimits, Truncate, tokenLimitFields } from "./text-fields.ts";

const ModelName = optional(
  Type.String({ minLength: 1, maxLength: 128, description: "default: the first cross-encoder served" }),
);

/** text-embeddings-inference's request. */
const RerankBody = (rules: InputRules) => {
  const Text = textSchema(rules);
  return Type.Object(
    {
      model: ModelName,
      query: Text,
      texts: Type.Array(Text, { minItems: 1, maxItems: rules.maxInputs }),
      raw_scores: optional(Type.Boolean({ default: false, description: "the model's own outputs instead of 0 to 1" })),
      return_text: optional(Type.Boolean({ default: false })),
      truncate: optional(Truncate),
      truncation_direction: truncationDirection,
      ...tokenLimitFields,
    },
    {
      additionalProperties: false,
      example: {
        query: "why did the conveyor stop",
        texts: ["A pallet blocked the light curtain.", "Lunch is at noon."],
      },
    },
  );
};

const RerankAnswer = Type.Array(
  Type.Object({ index: Type.Integer(), score: Type.Number(), text: Type.Optional(Type.String()) }),
);

/** Cohere's and Jina's request. */
const RerankDocumentsBody = (rules: InputRules) => {
  const Text = textSchema(rules);
  return Type.Object(
    {
      model: ModelName,
      query: Text,
      documents: Type.Array(Type.Union([Text, Type.Object({ text: Text })], { title: "a text, or {text}" }), {
        minItems: 1,
        maxItems: rules.maxInputs,
      }),
      top_n: optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: "number of results; default: all" })),
      return_documents: optional(Type.Boolean({ default: false })),
      truncate: optional(Truncate),
      truncation_direction: truncationDirection,
      ...tokenLimitFields,
    },
    {
      additionalProperties: false,
      example: {
        query: "why did the conveyor stop",
        documents: ["A pallet blocked the light curtain.", "Lunch is at noon."],
        top_n: 1,
      },
    },
  );
};

const RerankDocumentsAnswer = Type.Object({
  model: Type.String(),
  results: Type.Array(
    Type.Object({
      index: Type.Integer(),
      relevance_score: Type.Number(),
      document: Type.Optional(Type.Object({ text: Type.String() })),
    }),
  ),
  usage: Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer(), truncated_inputs: Type.Integer() }),
});

function headersOf({ truncatedInputs }: RerankResult): Record<string, string> {
  return truncatedInputs > 0 ? { "x-truncated-inputs": String(truncatedInputs) } : {};
}

const rerankErrors = {
  ...embeddingErrors,
  INVALID_REQUEST: "model: expected a cross-encoder, got all-MiniLM-L6-v2, which makes vectors of texts",
  MODEL_NOT_FOUND: "model: expected this agent to serve a cross-encoder, got none",
};

/** `POST /rerank` and `POST /v1/rerank`. */
export function rerankRoutes(reranker: Reranker, rules: InputRules) {
  return new Elysia()
    .post(
      "/rerank",
      async ({ body, request }) => {
        const { query, texts } = body;
        const result = await reranker.rerank({
          model: body.model ?? undefined,
          query,
          texts,
          textsField: "texts",
          rawScores: body.raw_scores ?? false,
          ...cutOf(body),
          tokenLimits: saidLimits(body),
          ...requestContext(request),
        });
        const ranked = body.return_text
          ? result.ranked.map(({ index, score }) => ({ index, text: texts[index], score }))
          : result.ranked;
        return answerJson(ranked, headersOf(result));
      },
      {
        ...requestBody(RerankBody(rules)),
        detail: describeRoute({
          summary: "Texts ranked by how well they answer a query, in text-embeddings-inference's format",
          tag: "rerank",
          headers: embeddingHeaders,
          answer: {
            description:
              "Most relevant first, as scored by a cross-encoder. The header x-truncated-inputs gives the number of pairs that were cut.",
            schema: RerankAnswer,
            example: [
              { index: 0, score: 0.9731 },
              { index: 1, score: 0.0004 },
            ],
          },
          errors: rerankErrors,
        }),
      },
    )
    .post(
      "/v1/rerank",
      async ({ body, request }) => {
        const texts = body.documents.map((document) => (typeof document === "string" ? document : document.text));
        const result = await reranker.rerank({
          model: body.model ?? undefined,
          query: body.query,
          texts,
          textsField: "documents",
          rawScores: false,
          ...cutOf(body),
          tokenLimits: saidLimits(body),
          ...requestContext(request),
        });
        const { tokens, truncatedInputs } = result;
        return answerJson(
          {
            model: result.model,
            results: result.ranked.slice(0, body.top_n ?? undefined).map(({ index, score }) => ({
              index,
              relevance_score: score,
              ...(body.return_documents ? { document: { text: texts[index] } } : {}),
            })),
            usage: { prompt_tokens: tokens, total_tokens: tokens, truncated_inputs: truncatedInputs },
          },
          headersOf(result),
        );
      },
      {
        ...requestBody(RerankDocumentsBody(rules)),
        detail: describeRoute({
          summary: "Documents ranked by how well they answer a query, in Cohere's and Jina's format",
          tag: "rerank",
          headers: embeddingHeaders,
          answer: {
            description: "Most relevant first, as scored by a cross-encoder.",
            schema: RerankDocumentsAnswer,
            example: {
              model: "ms-marco-MiniLM-L6-v2",
              results: [{ index: 0, relevance_score: 0.9731 }],
              usage: { prompt_tokens: 34, total_tokens: 34, truncated_inputs: 0 },
            },
          },
          errors: rerankErrors,
          errorStyle: "openai",
        }),
      },
    );
}
