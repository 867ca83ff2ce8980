import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Registry } from "prom-client";
import { answerText } from "#platform/http/answer-text.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import type { EngineConfig } from "../onnxruntime/engine-options.ts";
import { type EngineReport, ExecutionProvider, explainEngine } from "../onnxruntime/execution-provider.ts";
import type { HealthCheck } from "../ports.ts";
import type { ListedModel } from "../residency/model-pool.ts";

export interface ServingState {
  readonly version: string;
  /** The default one first. */
  models(): readonly ListedModel[];
  /** Directories of models that can't be read, and why. */
  leftOut(): ReadonlyMap<string, string>;
  /** Why a request for vectors would be turned away now; null when it would be answered. */
  notReadyReason(): string | null;
  stopping(): boolean;
  /** Keys are configured: what the parts say of themselves is then for those who have one. */
  readonly keysRequired: boolean;
  /** The execution providers that are wanted. */
  readonly providers: EngineConfig["executionProviders"];
  /** Of parts beyond serving. */
  extraChecks(): Readonly<Record<string, HealthCheck>>;
}

const ModelEntry = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: Type.Union([Type.Literal("embedding"), Type.Literal("cross-encoder")], {
    description: "a cross-encoder ranks texts and makes no vectors: its dimension is the number of its labels",
  }),
  dimension: Type.Integer(),
  params: Type.Integer(),
  memory_mb: Type.Union([Type.Integer(), Type.Null()]),
  latency_p95_ms: Type.Union([Type.Number(), Type.Null()]),
  throughput_qps: Type.Number(),
  status: Type.Union([Type.Literal("loaded"), Type.Literal("available"), Type.Literal("loading")]),
  max_tokens: Type.Integer(),
  revision: Type.String(),
  aliases: Type.Array(Type.String()),
  pinned: Type.Boolean(),
  execution_provider: Type.Union([ExecutionProvider, Type.Null()], { description: "null while it is not loaded" }),
  problem: Type.Union([Type.String(), Type.Null()], { description: "why it could not be loaded last time" }),
});

const Health = Type.Object({
  status: Type.Union([Type.Literal("healthy"), Type.Literal("degraded"), Type.Literal("stopping")]),
  checks: Type.Record(Type.String(), Type.Object({ status: Type.String(), detail: Type.String() })),
  version: Type.String(),
});

const unasked = { latencyP95Ms: null, throughputQps: 0 };

/** A model as `GET /models` lists it; memory is null while it is not loaded. */
export async function describeModel({ found, model, status, pinned, problem }: ListedModel) {
  const { id, name, kind, dimension, params, maxTokens, revision, aliases } = found.manifest;
  const { latencyP95Ms, throughputQps } = model?.recent.summary(performance.now()) ?? unasked;
  const memoryBytes = (await model?.memoryBytes()) ?? null;
  return {
    id,
    name,
    kind,
    dimension,
    params,
    memory_mb: memoryBytes === null ? null : Math.round(memoryBytes / 2 ** 20),
    latency_p95_ms: latencyP95Ms === null ? null : Math.round(latencyP95Ms * 100) / 100,
    throughput_qps: Math.round(throughputQps * 100) / 100,
    status,
    max_tokens: maxTokens,
    revision,
    aliases,
    pinned,
    problem,
    execution_provider: model?.engine()?.provider ?? null,
  };
}

/** Falling back is a defect where the operator asked for another provider by name. */
function describeProvider(engine: EngineReport | null, wanted: EngineConfig["executionProviders"]) {
  if (engine === null) return { status: "loading", detail: "the default model is being loaded" };
  const asWanted = engine.libraryProblem === null && (wanted === "auto" || wanted[0] === engine.provider);
  return { status: asWanted ? "healthy" : "degraded", detail: explainEngine(engine) };
}

function describeGpu(engine: EngineReport | null, wanted: EngineConfig["executionProviders"]) {
  if (engine !== null && engine.provider !== "cpu")
    return { status: "healthy", detail: `computes with ${engine.provider}` };
  const [refused] = engine?.refused ?? [];
  if (refused === undefined) return { status: "unused", detail: "this program's ONNX Runtime computes on the CPU" };
  const named = wanted !== "auto" && wanted[0] === refused.provider;
  return { status: named ? "degraded" : "unused", detail: `${refused.provider} can't be used: ${refused.reason}` };
}

/** What `GET /health` answers: each check with its detail; the whole is `healthy` while all of them are well, `stopping` at the end, else `degraded`. */
export function describeHealth(state: ServingState) {
  const models = state.models();
  const [standard] = models;
  const loaded = models.filter(({ status }) => status === "loaded");
  const failing = models.filter(({ status, problem }) => status !== "loaded" && problem !== null);
  const provider =
    standard !== undefined && failing.includes(standard)
      ? { status: "unhealthy", detail: `${standard.found.manifest.id} can't be loaded: ${standard.problem}` }
      : standard?.model?.runner.answers() === false && standard.status === "loaded"
        ? { status: "unhealthy", detail: `the process of model ${standard.found.manifest.id} does not answer` }
        : standard?.status !== "loaded"
          ? { status: "loading", detail: "the default model is being loaded" }
          : describeProvider(standard.model?.engine() ?? null, state.providers);
  const cacheDetail = [
    `${loaded.length} of ${models.length} models loaded`,
    ...failing.map(({ found, problem }) => `${found.manifest.id} can't be loaded: ${problem}`),
    ...[...state.leftOut()].map(([name, reason]) => `${name} is left out: ${reason}`),
  ].join("; ");
  const doubts = loaded.flatMap(({ found, model }) => {
    const doubt = model?.doubt() ?? null;
    return doubt === null ? [] : [`${found.manifest.id}: ${doubt}`];
  });
  const extraChecks = state.extraChecks();
  const cacheStatus = failing.length > 0 || state.leftOut().size > 0 ? "degraded" : "healthy";
  const allWell =
    provider.status === "healthy" &&
    cacheStatus === "healthy" &&
    doubts.length === 0 &&
    Object.values(extraChecks).every((check) => check.status !== "degraded");
  const status = state.stopping() ? "stopping" : allWell ? "healthy" : "degraded";
  return {
    status,
    checks: {
      embedding_provider: provider,
      model_cache: { status: cacheStatus, detail: cacheDetail },
      model_files:
        doubts.length === 0
          ? { status: "healthy", detail: "unchanged: they match their manifests or their first load" }
          : { status: "degraded", detail: doubts.join("; ") },
      gpu: describeGpu(standard?.model?.engine() ?? null, state.providers),
      ...extraChecks,
    },
    version: state.version,
  };
}

/** Health without what names models, paths and addresses, for those without a key where one is asked for. */
export function withoutDetails(health: ReturnType<typeof describeHealth>) {
  const checks = Object.entries(health.checks).map(([name, { status }]) => [
    name,
    { status, detail: "shown to requests with an API key" },
  ]);
  return { ...health, checks: Object.fromEntries(checks) };
}

/** `/health`, `/livez`, `/readyz`, `/models`, `/metrics`. */
export function statusRoutes(state: ServingState, metrics: Registry) {
  const mayKnow = (request: Request) => !state.keysRequired || callerOf(request) !== undefined;
  return new Elysia()
    .get(
      "/health",
      ({ request }) => (mayKnow(request) ? describeHealth(state) : withoutDetails(describeHealth(state))),
      {
        detail: describeRoute({
          summary: "Health of the parts of serving",
          description:
            "Always 200: whether requests are answered is what /readyz says. Where keys are configured, only requests with one see the details.",
          tag: "health",
          open: true,
          answer: {
            description: "healthy, degraded or stopping, overall and for each part.",
            schema: Health,
            example: {
              status: "healthy",
              checks: {
                embedding_provider: { status: "healthy", detail: "ONNX Runtime on the CPU" },
                model_cache: { status: "healthy", detail: "1 of 1 models loaded" },
                gpu: { status: "unused", detail: "this program's ONNX Runtime computes on the CPU" },
              },
              version: state.version,
            },
          },
        }),
      },
    )
    .get("/livez", () => ({ status: "alive" }), {
      detail: describeRoute({
        summary: "200 while the process answers",
        tag: "health",
        open: true,
        answer: {
          description: "It answers.",
          schema: Type.Object({ status: Type.Literal("alive") }),
          example: { status: "alive" },
        },
      }),
    })
    .get(
      "/readyz",
      ({ request }) => {
        const reason = state.notReadyReason();
        const told = mayKnow(request) ? reason : "shown to requests with an API key";
        return Response.json(reason === null ? { status: "ready" } : { status: "not ready", reason: told }, {
          status: reason === null ? 200 : 503,
        });
      },
      {
        detail: describeRoute({
          summary: "200 while requests for vectors are answered, 503 with the reason otherwise",
          tag: "health",
          open: true,
          answer: {
            description: "Requests for vectors are answered.",
            schema: Type.Object({ status: Type.Literal("ready") }),
            example: { status: "ready" },
          },
          others: {
            503: {
              description: "They would be turned away.",
              schema: Type.Object({ status: Type.Literal("not ready"), reason: Type.String() }),
              example: { status: "not ready", reason: "the agent's role is standby" },
            },
          },
        }),
      },
    )
    .get("/models", async () => ({ models: await Promise.all(state.models().map(describeModel)) }), {
      detail: describeRoute({
        summary: "The models, what they need and how fast they have been",
        tag: "models",
        answer: {
          description: "Latency and throughput are those of the last one to two minutes.",
          schema: Type.Object({ models: Type.Array(ModelEntry) }),
          example: {
            models: [
              {
                id: "all-MiniLM-L6-v2",
                name: "all-MiniLM-L6-v2, weights in 8 bits",
                kind: "embedding",
                dimension: 384,
                params: 22_713_216,
                memory_mb: 236,
                latency_p95_ms: 12.6,
                throughput_qps: 48.3,
                status: "loaded",
                max_tokens: 256,
                revision: "1",
                aliases: ["sentence-transformers/all-MiniLM-L6-v2"],
                pinned: true,
                problem: null,
                execution_provider: "cpu",
              },
            ],
          },
        },
      }),
    })
    .get("/metrics", async () => answerText(await metrics.metrics(), { "content-type": metrics.contentType }), {
      detail: describeRoute({
        summary: "Prometheus metrics",
        tag: "health",
        answer: {
          description: "Prometheus' text format.",
          contentType: "text/plain",
          example: 'akidb_embed_requests_total{model="all-MiniLM-L6-v2",status="ok"} 1286\n',
        },
      }),
    });
}
