import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Registry } from "prom-client";
import { answerText } from "#platform/http/answer-text.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import { hasRole } from "#platform/http/guard/roles.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import { hiddenDetail } from "../hidden-detail.ts";
import { ExecutionProvider } from "../onnxruntime/execution-provider.ts";
import { healthReport, modelEntry, type ServingState, withoutDetails } from "./health-report.ts";

const ModelEntry = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: {
    ...literals("embedding", "cross-encoder", "sparse"),
    description:
      "a cross-encoder ranks texts and makes no vectors (its dimension is the number of its labels); a sparse model gives weights to the tokens of its vocabulary",
  },
  dimension: Type.Integer(),
  params: Type.Integer(),
  memory_mb: orNull(Type.Integer()),
  latency_p95_ms: orNull(Type.Number()),
  throughput_qps: Type.Number(),
  status: literals("loaded", "available", "loading"),
  max_tokens: Type.Integer(),
  revision: Type.String(),
  aliases: Type.Array(Type.String()),
  pinned: Type.Boolean(),
  execution_provider: orNull(ExecutionProvider, "null while it is not loaded"),
  problem: orNull(Type.String(), "reason why it last failed to load"),
  notes: Type.Array(Type.String(), {
    description: "why this file was chosen, what its files leave open, and what was found when it was loaded",
  }),
});

const Health = Type.Object({
  status: literals("healthy", "degraded", "stopping"),
  checks: Type.Record(Type.String(), Type.String(), {
    description: "status of each part: healthy, degraded, unused, loading or unhealthy",
  }),
  details: Type.Record(Type.String(), Type.String(), { description: "reason of each status" }),
  version: Type.String(),
});

/** `/health`, `/livez`, `/readyz`, `/models`, `/metrics`. */
export function statusRoutes(state: ServingState, metrics: Registry) {
  const mayKnow = (request: Request) => !state.keysRequired || hasRole(callerOf(request)?.role, "viewer");
  return new Elysia()
    .get("/health", ({ request }) => (mayKnow(request) ? healthReport(state) : withoutDetails(healthReport(state))), {
      detail: describeRoute({
        summary: "Health of the parts of serving",
        description:
          "Always 200; /readyz shows whether requests are answered. If keys are configured, only requests with one see the details.",
        tag: "health",
        open: true,
        answer: {
          description: "healthy, degraded or stopping, overall and for each part.",
          schema: Health,
          example: {
            status: "healthy",
            checks: { embedding_provider: "healthy", model_cache: "healthy", gpu: "unused" },
            details: {
              embedding_provider: "ONNX Runtime on the CPU",
              model_cache: "1 of 1 models loaded",
              gpu: "this program's ONNX Runtime computes on the CPU",
            },
            version: state.version,
          },
        },
      }),
    })
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
        const told = mayKnow(request) ? reason : hiddenDetail;
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
              description: "Requests for vectors would be refused.",
              schema: Type.Object({ status: Type.Literal("not ready"), reason: Type.String() }),
              example: { status: "not ready", reason: "the agent's role is standby" },
            },
          },
        }),
      },
    )
    .get("/models", async () => ({ models: await Promise.all(state.models().map(modelEntry)) }), {
      detail: describeRoute({
        summary: "The models, with their memory and recent speed",
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
                notes: ["model.onnx (int8): the only file"],
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
          example: 'akidb_embed_requests_total{model="all-MiniLM-L6-v2",status="success"} 1286\n',
        },
      }),
    });
}
