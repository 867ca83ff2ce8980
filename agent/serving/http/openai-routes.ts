import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import {
  EmbeddingInputs,
  embeddingErrors,
  embeddingFields,
  embeddingHeaders,
  embeddingRequest,
  inputsOf,
} from "./embedding-requests.ts";
import { writeAnswer } from "./write-answer.ts";
import { writeVectorBase64, writeVectorJson } from "./write-vector.ts";

/** OpenAI's request; fields of it that mean nothing here (`user`) are ignored. */
const EmbeddingsBody = (rules: InputRules) =>
  Type.Object(
    {
      input: EmbeddingInputs(rules),
      ...embeddingFields,
      encoding_format: Type.Optional(
        Type.Union([Type.Literal("float"), Type.Literal("base64"), Type.Null()], { description: "default: float" }),
      ),
    },
    {
      additionalProperties: true,
      example: { model: "all-MiniLM-L6-v2", input: ["one robot", "two robots"], dimensions: 4 },
    },
  );

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

const OpenAiModel = Type.Object({
  id: Type.String(),
  object: Type.Literal("model"),
  created: Type.Integer({ description: "start of this agent, in seconds since 1970" }),
  owned_by: Type.String(),
});

const exampleModel = { id: "all-MiniLM-L6-v2", object: "model", created: 1_795_000_000, owned_by: "thormesh" };

/** Decodes a part of a path; one that is not valid is taken as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `POST /v1/embeddings`, `GET /v1/models` and `GET /v1/models/{id}` as OpenAI's clients expect them. */
export function openAiRoutes(
  embedder: Embedder,
  rules: InputRules,
  models: () => readonly FoundModel[],
  findModel: (name: string) => FoundModel | null,
  startedAtS: () => number,
) {
  const modelEntry = ({ manifest }: FoundModel) => ({
    id: manifest.id,
    object: "model",
    created: startedAtS(),
    owned_by: "thormesh",
  });
  const entryNamed = (part: string) => {
    const id = decoded(part);
    const model = findModel(id);
    if (model !== null) return modelEntry(model);
    const known = models().map(({ manifest }) => manifest.id);
    throw new ServiceError("MODEL_NOT_FOUND", `model: expected one of ${known.join(", ")}, got "${id}"`, {
      details: { param: "model" },
    });
  };
  return new Elysia()
    .post(
      "/v1/embeddings",
      async ({ body, request }) => {
        const inputs = inputsOf(body.input);
        const result = await embedder.embed({ ...embeddingRequest(body, request), inputs, inputsField: "input" });
        const write =
          body.encoding_format === "base64"
            ? (vector: Float32Array) => `"${writeVectorBase64(vector)}"`
            : writeVectorJson;
        const shape = { normalize: true, dimensions: body.dimensions };
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
        ...jsonBody(EmbeddingsBody(rules)),
        detail: describeRoute({
          summary: "Vectors of texts, in OpenAI's shape",
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
        }),
      },
    )
    .get("/v1/models", () => ({ object: "list", data: models().map(modelEntry) }), {
      detail: describeRoute({
        summary: "The models, in OpenAI's shape",
        tag: "models",
        answer: {
          description: "Every model that requests may name.",
          schema: Type.Object({ object: Type.Literal("list"), data: Type.Array(OpenAiModel) }),
          example: { object: "list", data: [exampleModel] },
        },
      }),
    })
    .get("/v1/models/:id", ({ params }) => entryNamed(params.id), {
      detail: describeRoute({
        summary: "One model, in OpenAI's shape",
        description: "By its id or an alias; slashes may be encoded.",
        tag: "models",
        answer: { description: "The model.", schema: OpenAiModel, example: exampleModel },
        errors: { MODEL_NOT_FOUND: embeddingErrors.MODEL_NOT_FOUND as string },
        errorStyle: "openai",
      }),
    })
    .get("/v1/models/*", ({ params }) => entryNamed(params["*"]), { detail: { hide: true } });
}
