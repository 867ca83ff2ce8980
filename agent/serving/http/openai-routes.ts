import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "../embed-texts.ts";
import type { EmbeddingModel } from "../embedding-model.ts";
import { shapeVector } from "../shape-vector.ts";
import { writeAnswer } from "./write-answer.ts";
import { writeVectorBase64, writeVectorJson } from "./write-vector.ts";

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });

/** OpenAI's request; fields that it has and that mean nothing here (`user`) are let through. */
const EmbeddingsBody = (maxInputs: number) =>
  Type.Object(
    {
      input: Type.Union(
        [
          Type.String({ minLength: 1 }),
          Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: maxInputs }),
          TokenIds,
          Type.Array(TokenIds, { minItems: 1, maxItems: maxInputs }),
        ],
        {
          title: `a text, up to ${maxInputs} texts, a list of token ids, or up to ${maxInputs} such lists, none of them empty`,
        },
      ),
      model: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
      encoding_format: Type.Optional(Type.Union([Type.Literal("float"), Type.Literal("base64")], { default: "float" })),
      dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
    },
    { additionalProperties: true },
  );

function inputsOf(input: string | readonly string[] | readonly number[] | readonly number[][]) {
  if (typeof input === "string") return [input];
  return typeof input[0] === "number" ? [input as number[]] : (input as readonly (string | number[])[]);
}

/** `POST /v1/embeddings` and `GET /v1/models` as OpenAI's clients expect them. */
export function openAiRoutes(
  embedder: Embedder,
  maxInputs: number,
  models: () => readonly EmbeddingModel[],
  startedAtS: () => number,
) {
  const modelEntry = (model: EmbeddingModel) => ({
    id: model.found.manifest.id,
    object: "model",
    created: startedAtS(),
    owned_by: "thormesh",
  });
  return new Elysia()
    .post(
      "/v1/embeddings",
      async ({ body, request }) => {
        const { input, model, encoding_format, dimensions } = body;
        const inputs = inputsOf(input);
        const result = await embedder.embed({
          model,
          inputs,
          inputsField: "input",
          dimensions,
          signal: request.signal,
        });
        const write =
          encoding_format === "base64"
            ? (vector: Float32Array) => `"${writeVectorBase64(vector)}"`
            : (vector: Float32Array) => writeVectorJson(vector);
        const shape = { normalize: true, ...(dimensions === undefined ? {} : { dimensions }) };
        const usage = {
          prompt_tokens: result.tokens,
          total_tokens: result.tokens,
          truncated_inputs: result.truncatedInputs,
        };
        return writeAnswer(
          '{"object":"list","data":[',
          result.vectors,
          (vector, index) => `{"object":"embedding","index":${index},"embedding":${write(shapeVector(vector, shape))}}`,
          `],"model":${JSON.stringify(result.model)},"usage":${JSON.stringify(usage)}}`,
          result.truncatedInputs,
        );
      },
      {
        parse: "json",
        body: EmbeddingsBody(maxInputs),
        detail: { summary: "Vectors of texts, in OpenAI's shape", tags: ["embeddings"] },
      },
    )
    .get("/v1/models", () => ({ object: "list", data: models().map(modelEntry) }), {
      detail: { summary: "The models, in OpenAI's shape", tags: ["models"] },
    });
}
