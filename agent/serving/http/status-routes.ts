import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Registry } from "prom-client";
import type { EmbeddingModel } from "../embedding-model.ts";
import type { HealthCheck } from "../ports.ts";

export interface ServingState {
  readonly version: string;
  models(): readonly EmbeddingModel[];
  /** Why a request for vectors would be turned away now; null when it would be answered. */
  notReadyReason(): string | null;
  stopping(): boolean;
  /** Of parts beyond serving. */
  extraChecks(): Readonly<Record<string, HealthCheck>>;
}

const modelStatus = { loading: "loading", loaded: "loaded", failing: "available", stopped: "available" } as const;

const ModelEntry = Type.Object({
  id: Type.String(),
  name: Type.String(),
  dimension: Type.Integer(),
  params: Type.Integer(),
  memory_mb: Type.Union([Type.Integer(), Type.Null()]),
  latency_p95_ms: Type.Union([Type.Number(), Type.Null()]),
  throughput_qps: Type.Number(),
  status: Type.Union([Type.Literal("loaded"), Type.Literal("available"), Type.Literal("loading")]),
  max_tokens: Type.Integer(),
  revision: Type.String(),
  aliases: Type.Array(Type.String()),
});

export async function describeModel(model: EmbeddingModel) {
  const { id, name, dimension, params, maxTokens, revision, aliases } = model.found.manifest;
  const { latencyP95Ms, throughputQps } = model.recent.summary(performance.now());
  return {
    id,
    name,
    dimension,
    params,
    memory_mb: await model.memoryMb(),
    latency_p95_ms: latencyP95Ms === null ? null : Math.round(latencyP95Ms * 100) / 100,
    throughput_qps: Math.round(throughputQps * 100) / 100,
    status: modelStatus[model.runner.state],
    max_tokens: maxTokens,
    revision,
    aliases,
  };
}

export function describeHealth(state: ServingState) {
  const models = state.models();
  const loaded = models.filter((model) => model.runner.state === "loaded");
  const failing = models.filter((model) => model.runner.state === "failing");
  const provider =
    failing.length > 0
      ? { status: "unhealthy", detail: `${failing.map((model) => model.found.manifest.id).join(", ")} can't be loaded` }
      : loaded.length < models.length
        ? { status: "loading", detail: "a model is being loaded" }
        : { status: "healthy", detail: "ONNX Runtime on the CPU" };
  const extraChecks = state.extraChecks();
  const allWell =
    provider.status === "healthy" && Object.values(extraChecks).every((check) => check.status !== "degraded");
  const status = state.stopping() ? "stopping" : allWell ? "healthy" : "degraded";
  return {
    status,
    checks: {
      embedding_provider: provider,
      model_cache: { status: "healthy", detail: `${loaded.length} of ${models.length} models loaded` },
      gpu: { status: "unused", detail: "this program's ONNX Runtime computes on the CPU" },
      ...extraChecks,
    },
    version: state.version,
  };
}

/** `/health`, `/livez`, `/readyz`, `/models`, `/metrics`. */
export function statusRoutes(state: ServingState, metrics: Registry) {
  return new Elysia()
    .get("/health", () => describeHealth(state), {
      detail: { summary: "How the parts of serving are", tags: ["health"] },
    })
    .get("/livez", () => ({ status: "alive" }), {
      detail: { summary: "200 while the process answers", tags: ["health"] },
    })
    .get(
      "/readyz",
      () => {
        const reason = state.notReadyReason();
        return Response.json(reason === null ? { status: "ready" } : { status: "not ready", reason }, {
          status: reason === null ? 200 : 503,
        });
      },
      {
        detail: {
          summary: "200 while requests for vectors are answered, 503 with the reason otherwise",
          tags: ["health"],
        },
      },
    )
    .get("/models", async () => ({ models: await Promise.all(state.models().map(describeModel)) }), {
      response: Type.Object({ models: Type.Array(ModelEntry) }),
      detail: { summary: "The models, what they need and how fast they have been", tags: ["models"] },
    })
    .get(
      "/metrics",
      async () => new Response(await metrics.metrics(), { headers: { "content-type": metrics.contentType } }),
      { detail: { summary: "Prometheus metrics", tags: ["health"] } },
    );
}
