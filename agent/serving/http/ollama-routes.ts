import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { type InputRules, textSchema } from "#agent/serving/text/input-rules.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { optional } from "#platform/http/optional-field.ts";
import {
  embeddingErrors,
  embeddingFields,
  embeddingHeaders,
  embeddingRequest,
  truncationDirection,
} from "./embedding-requests.ts";
import { requestBody } from "./refuse-foreign-fields.ts";
import { tokenLimit } from "./text-fields.ts";
import { writeAnswer } from "./write-answer.ts";
import { shapedWriter } from "./write-shaped.ts";

const { model, dimensions, ...textFields } = embeddingFields;

/** Fields of Ollama's requests besides texts and model. How long a model stays is the agent's matter, and of its options one is about texts. */
const ollamaFields = {
  ...textFields,
  truncation_direction: truncationDirection,
  options: optional(
    Type.Object(
      { num_ctx: tokenLimit },
      { additionalProperties: true, description: "options for chat models do not apply to vectors" },
    ),
  ),
  keep_alive: Type.Optional(
    Type.Union([Type.String({ maxLength: 64 }), Type.Number({ minimum: -1e12, maximum: 1e12 }), Type.Null()], {
      description: "ignored: serving.keepAliveS sets how long models stay loaded",
    }),
  ),
};

/** Ollama's request. */
const OllamaEmbedBody = (rules: InputRules) => {
  const Text = textSchema(rules);
  const { maxInputs } = rules;
  return Type.Object(
    {
      model,
      input: Type.Union([Text, Type.Array(Text, { minItems: 1, maxItems: maxInputs })], {
        title: `a text, or 1 to ${maxInputs} texts`,
      }),
      dimensions,
      ...ollamaFields,
    },
    { additionalProperties: false, example: { model: "all-MiniLM-L6-v2", input: ["one robot", "two robots"] } },
  );
};

const OllamaPromptBody = (rules: InputRules) =>
  Type.Object(
    { model, prompt: textSchema(rules), ...ollamaFields },
    { additionalProperties: false, example: { model: "all-MiniLM-L6-v2", prompt: "one robot" } },
  );

type OllamaFields = Omit<Static<ReturnType<typeof OllamaEmbedBody>>, "input">;

const OllamaAnswer = Type.Object({
  model: Type.String(),
  embeddings: Type.Array(Type.Array(Type.Number())),
  total_duration: Type.Integer({ description: "nanoseconds" }),
  prompt_eval_count: Type.Integer({ description: "tokens" }),
});

const vector = [-0.2613, -0.4706, 0.7914, 0.2889];

/** Creates a reader of model names. Ollama's clients may add the tag `latest`, which its models have where none is named. */
function createNameReader(findModel: (name: string) => FoundModel | null) {
  return (name: string | null | undefined): string | undefined => {
    if (name === null || name === undefined) return undefined;
    return findModel(name) === null ? name.replace(/:latest$/, "") : name;
  };
}

/** `POST /api/embed` and `POST /api/embeddings` in Ollama's shape. */
export function ollamaRoutes(embedder: Embedder, rules: InputRules, findModel: (name: string) => FoundModel | null) {
  const schema = OllamaEmbedBody(rules);
  const readName = createNameReader(findModel);
  const readCommon = (body: OllamaFields, request: Request) =>
    embeddingRequest({ ...body, model: readName(body.model) ?? null }, request);
  const embed = async ({ body, request }: { readonly body: Static<typeof schema>; readonly request: Request }) => {
    const inputs = typeof body.input === "string" ? [body.input] : body.input;
    const common = readCommon(body, request);
    const result = await embedder.embed({ ...common, inputs, inputsField: "input" });
    const figures = { total_duration: Math.round(result.durationMs * 1e6), prompt_eval_count: result.tokens };
    return writeAnswer(
      `{"model":${JSON.stringify(body.model ?? result.model)},"embeddings":[`,
      result.vectors,
      shapedWriter(result, { normalize: true, dimensions: body.dimensions }),
      `],${JSON.stringify(figures).slice(1)}`,
      result,
    );
  };
  return new Elysia()
    .post("/api/embed", embed, {
      ...requestBody(schema),
      detail: describeRoute({
        summary: "Vectors of texts, in Ollama's format",
        tag: "embeddings",
        headers: embeddingHeaders,
        answer: {
          description: "One vector per text, of length 1, in order.",
          schema: OllamaAnswer,
          example: {
            model: "all-MiniLM-L6-v2",
            embeddings: [vector, [-0.2196, -0.1573, 0.8837, 0.3821]],
            total_duration: 6_410_000,
            prompt_eval_count: 8,
          },
        },
        errors: embeddingErrors,
      }),
    })
    .post(
      "/api/embeddings",
      async ({ body, request }) => {
        const common = readCommon(body, request);
        const result = await embedder.embed({ ...common, inputs: [body.prompt], inputsField: "prompt" });
        const write = shapedWriter(result, { normalize: false });
        return writeAnswer('{"embedding":', result.vectors, write, "}", result);
      },
      {
        ...requestBody(OllamaPromptBody(rules)),
        detail: describeRoute({
          summary: "The vector of a text, in Ollama's earlier format",
          tag: "embeddings",
          headers: embeddingHeaders,
          answer: {
            description: "The vector as the model computes it, not scaled to length 1, like Ollama's.",
            schema: Type.Object({ embedding: Type.Array(Type.Number()) }),
            example: { embedding: vector },
          },
          errors: embeddingErrors,
        }),
      },
    );
}
