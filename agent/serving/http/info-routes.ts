import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { decideLanePlan } from "#agent/serving/batching/decide-lane-plan.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { settingsOf } from "#agent/serving/models/model-settings.ts";
import { ServiceError } from "#platform/errors.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { orNull } from "#platform/schema-parts.ts";
import { type EngineReport, ExecutionProvider, explainEngine } from "../onnxruntime/execution-provider.ts";
import type { ServingConfig } from "../serving-config.ts";
import { modelName } from "./embedding-requests.ts";

const Info = Type.Object({
  model_id: Type.String(),
  model_sha: Type.String({ description: "the model's revision" }),
  model_type: Type.Record(Type.String(), Type.Object({ pooling: Type.Optional(Type.String()) })),
  dimension: Type.Integer(),
  max_input_length: Type.Integer({ description: "maximum tokens of a text" }),
  auto_truncate: Type.Boolean({ description: "longer texts are cut unless a request says truncate: false" }),
  prompts: Type.Array(Type.String()),
  max_batch_tokens: Type.Integer(),
  max_client_batch_size: Type.Integer({ description: "maximum texts in a request" }),
  max_body_bytes: Type.Integer(),
  max_concurrent_requests: Type.Integer({ description: "maximum waiting; beyond it 429" }),
  max_queued_texts: Type.Integer(),
  max_queued_tokens: Type.Integer(),
  max_expected_ms: Type.Number({ description: "a request that would take longer gets 429" }),
  cache_bytes: Type.Integer(),
  request_timeout_ms: Type.Integer(),
  execution_provider: orNull(ExecutionProvider, "null while it is not loaded"),
  engine: orNull(
    Type.String(),
    "execution provider in use, and why a preferred one is not; null while the model is not loaded",
  ),
  version: Type.String(),
});

/** `GET /info`: a model and its limits, with text-embeddings-inference's field names where it has them. */
export function infoRoutes(parts: {
  readonly version: string;
  readonly config: ServingConfig;
  /** By id or alias; undefined = the default model. */
  readonly model: (name: string | undefined) => FoundModel | null;
  /** Engine of the model's process; null while it has none. */
  readonly engine: (id: string) => EngineReport | null;
  /** Longest text that was found when the model was loaded, in tokens; null while it is not loaded. */
  readonly longestText: (id: string) => number | null;
}) {
  const { config, version } = parts;
  const infoOf = ({ manifest }: FoundModel, engine: EngineReport | null) => ({
    model_id: manifest.id,
    model_sha: manifest.revision,
    model_type: manifest.kind !== "cross-encoder" ? { embedding: { pooling: manifest.pooling } } : { reranker: {} },
    dimension: manifest.dimension,
    max_input_length: parts.longestText(manifest.id) ?? manifest.maxTokens,
    auto_truncate: true,
    prompts: Object.keys(manifest.prompts),
    max_batch_tokens: decideLanePlan(settingsOf(config, manifest), (engine?.provider ?? "cpu") !== "cpu", 0).policy
      .maxTokens,
    max_client_batch_size: config.maxInputs,
    max_body_bytes: config.maxBodyBytes,
    max_concurrent_requests: config.queueRequests,
    max_queued_texts: config.queueTexts,
    max_queued_tokens: config.queueTokens,
    max_expected_ms: config.queueMs,
    cache_bytes: config.cacheBytes,
    request_timeout_ms: config.requestTimeoutMs,
    execution_provider: engine?.provider ?? null,
    engine: engine === null ? null : explainEngine(engine),
    version,
  });
  return new Elysia().get(
    "/info",
    ({ query }) => {
      const model = parts.model(query.model);
      if (model !== null) return infoOf(model, parts.engine(model.manifest.id));
      throw new ServiceError("MODEL_NOT_FOUND", `model: there is no model "${query.model}"; /models lists them`, {
        details: { param: "model" },
      });
    },
    {
      query: Type.Object({
        model: Type.Optional(Type.String({ ...modelName, example: "all-MiniLM-L6-v2" })),
      }),
      detail: describeRoute({
        summary: "A model and its limits",
        tag: "models",
        answer: {
          description: "The limits come from this agent's configuration.",
          schema: Info,
          example: {
            model_id: "all-MiniLM-L6-v2",
            model_sha: "1",
            model_type: { embedding: { pooling: "mean" } },
            dimension: 384,
            max_input_length: 256,
            auto_truncate: true,
            prompts: [],
            max_batch_tokens: 256,
            max_client_batch_size: 2048,
            max_body_bytes: 4_194_304,
            max_concurrent_requests: 1024,
            max_queued_texts: 4096,
            max_queued_tokens: 262_144,
            max_expected_ms: 5_000,
            cache_bytes: 67_108_864,
            request_timeout_ms: 30_000,
            execution_provider: "cpu",
            engine: "ONNX Runtime on the CPU",
            version,
          },
        },
        errors: {
          INVALID_REQUEST: "query: model: expected string of at most 128 characters, got a string of 129 characters",
          MODEL_NOT_FOUND: 'model: no model "gpt" is known here; /models lists them',
        },
      }),
    },
  );
}
