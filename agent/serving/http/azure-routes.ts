import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Embedder } from "#agent/serving/admission/embedder.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { decodedPart } from "./decoded-part.ts";
import { modelName } from "./embedding-requests.ts";
import { answerEmbeddings, describeEmbeddings, EmbeddingsBody } from "./openai-embeddings.ts";
import { requestBody } from "./refuse-foreign-fields.ts";

/** Azure's clients name a version of its API, which changes nothing about vectors. */
const query = Type.Object({ "api-version": Type.Optional(Type.String({ maxLength: 64, example: "2024-10-21" })) });

/** `POST /openai/deployments/{name}/embeddings` and `POST /openai/v1/embeddings`, the paths of Azure OpenAI's clients. */
export function azureRoutes(embedder: Embedder, rules: InputRules) {
  const body = requestBody(EmbeddingsBody(rules));
  return new Elysia()
    .post(
      "/openai/deployments/:name/embeddings",
      // The path says which model; what the body says of it is ignored, as Azure does.
      ({ params, body, request }) => answerEmbeddings(embedder, { ...body, model: decodedPart(params.name) }, request),
      {
        ...body,
        query,
        params: Type.Object({ name: Type.String({ ...modelName, description: "a model's id or alias" }) }),
        detail: describeEmbeddings(
          "The same as /v1/embeddings, for Azure OpenAI's clients",
          "The deployment is a model's id or alias. If keys are configured, the header api-key is accepted as well.",
        ),
      },
    )
    .post("/openai/v1/embeddings", ({ body, request }) => answerEmbeddings(embedder, body, request), {
      ...body,
      query,
      detail: describeEmbeddings("The same as /v1/embeddings, at the address of Azure's v1 API"),
    });
}
