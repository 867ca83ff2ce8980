import { type Static, Type } from "@sinclair/typebox";
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
import { writeAnswer } from "./write-answer.ts";
import { shapedWriter } from "./write-shaped.ts";

/** OpenAI's request, with fields of other servers that have its shape. */
export const EmbeddingsBody = (rules: InputRules) =>
  Type.Object(
    {
      input: EmbeddingInputs(rules),
      ...embeddingFields,
      truncation_direction: truncationDirection,
      encoding_format: Type.Optional(
        Type.Union([Type.Literal("float"), Type.Literal("base64"), Type.Null()], { description: "default: float" }),
      ),
    },
    {
      additionalProperties: false,
      example: { model: "all-MiniLM-L6-v2", input: ["one robot", "two robots"], dimensions: 4 },
    },
  );
export type EmbeddingsBody = Static<ReturnType<typeof EmbeddingsBody>>;

const EmbeddingsAnswer = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(
    Type.Object({
      object: Type.Literal("embedding"),
      index: Type.Integer(),
      embedding: Type.Union([Type.Array(Type.Number()), Type.String({ description: "with encoding_format: base64" })]),
    }),
  ),
  model: Type.String(),
  usage: Type.Object({
    prompt_tokens: Type.Integer(),
    total_tokens: Type.Integer(),
    truncated_inputs: Type.Integer(),
  }),
});

/** Answers a request in OpenAI's shape. */
export async function answerEmbeddings(embedder: Embedder, body: EmbeddingsBody, request: Request): Promise<Response> {
  const inputs = inputsOf(body.input);
  const result = await embedder.embed({ ...embeddingRequest(body, request), inputs, inputsField: "input" });
  const { dimensions, encoding_format: format } = body;
  const write = shapedWriter(result, { normalize: true, dimensions }, format ?? undefined);
  const { tokens, truncatedInputs } = result;
  const usage = `{"prompt_tokens":${tokens},"total_tokens":${tokens},"truncated_inputs":${truncatedInputs}}`;
  return writeAnswer(
    '{"object":"list","data":[',
    result.vectors,
    (vector, index) => `{"object":"embedding","index":${index},"embedding":${write(vector)}}`,
    `],"model":${JSON.stringify(result.model)},"usage":${usage}}`,
    result,
  );
}

/** Describes a route that answers in OpenAI's shape. */
export const describeEmbeddings = (summary: string, description?: string) =>
  describeRoute({
    summary,
    ...(description === undefined ? {} : { description }),
    tag: "embeddings",
    headers: embeddingHeaders,
    answer: {
      description:
        "One vector per text, of length 1, in order; base64 holds little-endian float32. usage.truncated_inputs and the header x-truncated-inputs give the number of texts that were cut.",
      schema: EmbeddingsAnswer,
      example: {
        object: "list",
        data: [
          { object: "embedding", index: 0, embedding: [-0.2613, -0.4706, 0.7914, 0.2889] },
          { object: "embedding", index: 1, embedding: [-0.2196, -0.1573, 0.8837, 0.3821] },
        ],
        model: "all-MiniLM-L6-v2",
        usage: { prompt_tokens: 8, total_tokens: 8, truncated_inputs: 0 },
      },
    },
    errors: embeddingErrors,
    errorStyle: "openai",
  });
