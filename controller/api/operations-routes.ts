import { Elysia } from "elysia";
import type { Registry } from "prom-client";
import { answerText } from "#platform/http/answer-text.ts";
import { describeRoute } from "#platform/http/describe-route.ts";
import { openRoute } from "#platform/http/open-route.ts";
import { Health } from "./schemas.ts";

export function operationsRoutes(health: () => Health, metrics: Registry) {
  return new Elysia()
    .get("/healthz", health, {
      response: Health,
      detail: {
        summary: "Health of the controller",
        description:
          "Answers 200 even without its broker. degraded: something is wrong with receiving or storing; see problems.",
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
