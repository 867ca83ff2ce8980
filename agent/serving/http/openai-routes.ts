import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { ServiceError } from "#platform/errors.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { decodedPart } from "./decoded-part.ts";
import { embeddingErrors } from "./embedding-requests.ts";
import { answerEmbeddings, describeEmbeddings, EmbeddingsBody } from "./openai-embeddings.ts";
import { requestBody } from "./refuse-foreign-fields.ts";

const OpenAiModel = Type.Object({
  id: Type.String(),
  object: Type.Literal("model"),
  created: Type.Integer({ description: "start of this agent, in seconds since 1970" }),
  owned_by: Type.String(),
});

const exampleModel = { id: "all-MiniLM-L6-v2", object: "model", created: 1_795_000_000, owned_by: "thormesh" };

/** `POST /v1/embeddings`, `GET /v1/models` and `GET /v1/models/{id}` as OpenAI's clients expect them. */
export function openAiRoutes(
  embedder: Embedder,
  rules: InputRules,
  models: () => readonly FoundModel[],
  findModel: (name: string) => FoundModel | null,
  startedAtS: () => number,
  ownNames: readonly string[] = [],
) {
  const modelEntry = ({ manifest }: FoundModel) => ({
    id: manifest.id,
    object: "model",
    created: startedAtS(),
    owned_by: "thormesh",
  });
  const ownEntries = () =>
    ownNames.flatMap((name) => {
      const model = findModel(name);
      return model === null ? [] : [{ ...modelEntry(model), id: name }];
    });
  const entryNamed = (part: string) => {
    const id = decodedPart(part);
    const model = findModel(id);
    if (model !== null) return modelEntry(model);
    const known = models().map(({ manifest }) => manifest.id);
    throw new ServiceError("MODEL_NOT_FOUND", `model: expected one of ${known.join(", ")}, got "${id}"`, {
      details: { param: "model" },
    });
  };
  return new Elysia()
    .post("/v1/embeddings", ({ body, request }) => answerEmbeddings(embedder, body, request), {
      ...requestBody(EmbeddingsBody(rules)),
      detail: describeEmbeddings("Vectors of texts, in OpenAI's format"),
    })
    .get("/v1/models", () => ({ object: "list", data: [...models().map(modelEntry), ...ownEntries()] }), {
      detail: describeRoute({
        summary: "The models, in OpenAI's format",
        tag: "models",
        answer: {
          description: "Every model that requests may name, including aliases.",
          schema: Type.Object({ object: Type.Literal("list"), data: Type.Array(OpenAiModel) }),
          example: { object: "list", data: [exampleModel] },
        },
      }),
    })
    .get("/v1/models/:id", ({ params }) => entryNamed(params.id), {
      detail: describeRoute({
        summary: "One model, in OpenAI's format",
        description: "By its id or an alias; slashes may be encoded.",
        tag: "models",
        answer: { description: "The model.", schema: OpenAiModel, example: exampleModel },
        errors: { MODEL_NOT_FOUND: embeddingErrors.MODEL_NOT_FOUND as string },
        errorStyle: "openai",
      }),
    })
    .get("/v1/models/*", ({ params }) => entryNamed(params["*"]), { detail: { hide: true } });
}
