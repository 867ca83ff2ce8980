import { Elysia } from "elysia";
import type { Registry } from "prom-client";
import { answerText } from "#platform/http/answer-text.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { openRoute } from "#platform/http/open-route.ts";
import { Health } from "./schemas.ts";

/** For those who run the controller. */
export function operationsRoutes(health: () => Health, metrics: Registry) {
  return new Elysia()
    .get("/healthz", health, {
      response: Health,
      detail: {
        summary: "Whether the controller runs",
        description: "Answers 200 even without its broker; degraded lists what is wrong with receiving or storing.",
        tags: ["operations"],
        ...openRoute,
      },
    })
    .get("/metrics", async () => answerText(await metrics.metrics(), { "content-type": metrics.contentType }), {
      detail: describeRoute({
        summary: "Metrics for Prometheus",
        tag: "operations",
        answer: {
          description: "Prometheus' text format.",
          contentType: "text/plain",
          example: 'thormesh_controller_messages_total{channel="data",outcome="accepted"} 12\n',
        },
      }),
    });
}
