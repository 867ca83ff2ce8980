import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { type AnomalyTerms, findAnomalies, type JudgedDay } from "../../cost/anomaly/find-anomalies.ts";
import { windowForms, windowPattern } from "../../cost/window/parse-window.ts";
import type { ApiParts } from "../api-parts.ts";
import { readWindow } from "../read-window.ts";
import { about, ErrorBody } from "../schemas.ts";

const Query = strictObject({
  window: Type.String({ default: "30d", pattern: windowPattern, title: windowForms }),
  all: Type.String({
    ...{ default: "false", pattern: "^(true|false)$", title: "true or false" },
    description: "true: include ordinary days",
  }),
});

const Judged = Type.Unsafe<JudgedDay>(
  Type.Object({
    dayStartMs: Type.Number(),
    date: Type.String({ description: "of the local calendar" }),
    scope: Type.Object({
      kind: Type.String({ description: "fleet, region, tenant, model or agent" }),
      name: orNull(Type.String(), "null: the fleet"),
    }),
    rule: Type.String({
      description:
        "cost-of-requests: each request costs more than before; level: there were more requests; normal; too-few-days",
    }),
    isAnomaly: Type.Boolean(),
    score: Type.Number({ description: "robust deviations above the expected cost" }),
    ...{ costUsd: Type.Number(), expectedUsd: Type.Number(), requests: Type.Number(), usualRequests: Type.Number() },
    movers: Type.Array(
      Type.Object({
        ...{ dimension: Type.String(), name: orNull(Type.String(), "null: idle time") },
        excessUsd: Type.Number(),
      }),
      { description: "parts of the fleet that make up most of the difference" },
    ),
    reason: Type.String(),
  }),
);

/** Route of days that cost more than was expected. */
export function anomalyRoutes(
  { history, timeZone, nowMs }: Pick<ApiParts, "history" | "timeZone" | "nowMs">,
  terms: AnomalyTerms,
) {
  return new Elysia().get(
    "/api/v1/cost/anomalies",
    async ({ query }) => {
      const { startMs, endMs } = readWindow(query.window, nowMs(), timeZone);
      const judged = await findAnomalies(history, { startMs, endMs, nowMs: nowMs() }, terms);
      return { days: query.all === "true" ? judged : judged.filter(({ isAnomaly }) => isAnomaly) };
    },
    {
      query: Query,
      response: { 200: Type.Object({ days: Type.Array(Judged) }), 400: ErrorBody },
      detail: about(
        "cost",
        "Days that cost more than expected",
        "For the fleet, its regions, tenants, models and agents, with what changed. Past whole days only.",
      ),
    },
  );
}
