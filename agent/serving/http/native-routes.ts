import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { optional } from "#platform/http/optional-field.ts";
import { embeddingErrors, embeddingFields, embeddingHeaders, embeddingRequest } from "./embedding-requests.ts";
import { requestBody } from "./refuse-foreign-fields.ts";
import { writeAnswer } from "./write-answer.ts";
import { shapedWriter } from "./write-shaped.ts";

const EmbedBody = (rules: InputRules) =>
  Type.Object(
    {
      ...embeddingFields,
      inputs: Type.Array(textSchema(rules), { minItems: 1, maxItems: rules.maxInputs }),
      normalize: optional(Type.Boolean({ default: true, description: "scale each vector to length 1" })),
    },
    {
      additionalProperties: false,
      example: { model: "all-MiniLM-L6-v2", inputs: ["one robot", "two robots"], dimensions: 4 },
    },
  );

const EmbedAnswer = Type.Object({
  embeddings: Type.Array(Type.Array(Type.Number())),
  model: Type.String(),
  usage: Type.Object({ total_tokens: Type.Integer(), duration_ms: Type.Number(), truncated_inputs: Type.Integer() }),
});

/** `POST /api/v1/embed`. */
export function nativeRoutes(embedder: Embedder, rules: InputRules) {
  return new Elysia().post(
    "/api/v1/embed",
    async ({ body, request }) => {
      const { inputs, dimensions } = body;
      const result = await embedder.embed({ ...embeddingRequest(body, request), inputs, inputsField: "inputs" });
      const usage = {
        total_tokens: result.tokens,
        duration_ms: Math.round(result.durationMs * 100) / 100,
        truncated_inputs: result.truncatedInputs,
      };
      return writeAnswer(
        '{"embeddings":[',
        result.vectors,
        shapedWriter(result, { normalize: body.normalize ?? true, dimensions }),
        `],"model":${JSON.stringify(result.model)},"usage":${JSON.stringify(usage)}}`,
        result,
      );
    },
    {
      ...requestBody(EmbedBody(rules)),
      detail: describeRoute({
        summary: "Vectors of texts",
        tag: "embeddings",
        headers: embeddingHeaders,
        answer: {
          description:
            "One vector per text, in order. usage.truncated_inputs and the header x-truncated-inputs give the number of texts that were cut.",
          schema: EmbedAnswer,
          example: {
            embeddings: [
              [-0.2613, -0.4706, 0.7914, 0.2889],
              [-0.2196, -0.1573, 0.8837, 0.3821],
            ],
            model: "all-MiniLM-L6-v2",
            usage: { total_tokens: 8, duration_ms: 6.41, truncated_inputs: 0 },
          },
        },
        errors: embeddingErrors,
      }),
    },
  );
}
