import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "../embed-texts.ts";
import { shapeVector } from "../shape-vector.ts";
import { writeAnswer } from "./write-answer.ts";
import { writeVectorJson } from "./write-vector.ts";

const EmbedBody = (maxInputs: number) =>
  Type.Object(
    {
      model: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "default: the agent's own" })),
      inputs: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: maxInputs }),
      normalize: Type.Optional(Type.Boolean({ default: true, description: "scale each vector to length 1" })),
    },
    { additionalProperties: false },
  );

const EmbedAnswer = Type.Object({
  embeddings: Type.Array(Type.Array(Type.Number())),
  model: Type.String(),
  usage: Type.Object({ total_tokens: Type.Integer(), duration_ms: Type.Number(), truncated_inputs: Type.Integer() }),
});

/** `POST /api/v1/embed`. */
export function nativeRoutes(embedder: Embedder, maxInputs: number) {
  return new Elysia().post(
    "/api/v1/embed",
    async ({ body, request }) => {
      const { model, inputs, normalize = true } = body;
      const result = await embedder.embed({
        model,
        inputs,
        inputsField: "inputs",
        dimensions: undefined,
        signal: request.signal,
      });
      const usage = {
        total_tokens: result.tokens,
        duration_ms: Math.round(result.durationMs * 100) / 100,
        truncated_inputs: result.truncatedInputs,
      };
      return writeAnswer(
        '{"embeddings":[',
        result.vectors,
        (vector) => writeVectorJson(shapeVector(vector, { normalize })),
        `],"model":${JSON.stringify(result.model)},"usage":${JSON.stringify(usage)}}`,
        result.truncatedInputs,
      );
    },
    {
      parse: "json",
      body: EmbedBody(maxInputs),
      detail: {
        summary: "Vectors of texts",
        tags: ["embeddings"],
        responses: {
          200: {
            description:
              "One vector a text, in order. usage.truncated_inputs and the header x-truncated-inputs say how many texts were cut.",
            content: { "application/json": { schema: EmbedAnswer as object } },
          },
        },
      },
    },
  );
}
