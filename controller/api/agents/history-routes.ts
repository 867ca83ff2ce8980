import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";
import { AgentRole } from "#protocol/messages.ts";
import type { MinuteRecord } from "../../store/store.ts";
import type { ApiParts } from "../api-parts.ts";
import { AgentParams, about, ErrorBody } from "../schemas.ts";
import { agentHistory, historyStepMs } from "./agent-history.ts";

const HistoryQuery = strictObject({
  hours: Type.String({
    pattern: "^([1-9]|[1-3][0-9]|4[0-8])$",
    title: "a whole number from 1 to 48",
    default: "6",
  }),
});

const numberOrNull = (description: string) => orNull(Type.Number(), description);

export const HistoryView = Type.Object({
  agentId: Type.String(),
  nowMs: Type.Number({ description: "the controller's clock" }),
  fromMs: Type.Number({
    description: "start of the requested period; minutes are timed by the agent's clock",
  }),
  stepMs: Type.Number({ description: "length of a step: 1 to 4 minutes" }),
  points: Type.Array(
    Type.Object({
      startMs: Type.Number({ description: "start of the step" }),
      qps: Type.Number({ description: "texts per second answered" }),
      offeredQps: Type.Number({ description: "texts per second requested, answered or not" }),
      workQps: Type.Number({
        description:
          "texts per second that needed this agent's own capacity, including those passed on by other agents",
      }),
      errors: Type.Integer({ description: "requests that failed on the agent's side" }),
      rejected: Type.Integer({ description: "requests that were refused" }),
      p95LatencyMs: numberOrNull("95th percentile latency; null: no requests"),
      watts: numberOrNull("mean power over the measured part; null: not measured"),
      maxTemperatureC: numberOrNull("highest temperature, °C; null: not measured"),
      forecastPeakQps: numberOrNull("median of the forecast peak, texts per second; null: no forecast"),
    }),
    { description: "oldest first; steps without a record are absent" },
  ),
  modes: Type.Array(
    Type.Object({
      fromMs: Type.Number(),
      untilMs: Type.Number(),
      role: Type.Unsafe<AgentRole>(AgentRole),
      powerMode: orNull(Type.String(), "null: not measured"),
    }),
    { description: "stretches of one role and one power mode, oldest first" },
  ),
});

/** Route of an agent's recorded minutes, for the charts of its page. */
export function historyRoutes({ fleet, store, nowMs }: Pick<ApiParts, "fleet" | "store" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/agents/:id/history",
    async ({ params: { id }, query }) => {
      if (fleet.get(id) === undefined && !(await store.hasMinutes(id)))
        throw new ServiceError("NOT_FOUND", `no agent ${id} is known`);
      const now = nowMs();
      const fromMs = now - Number(query.hours) * hourMs;
      const records: MinuteRecord[] = [];
      for (let hourStartMs = Math.floor(fromMs / hourMs) * hourMs; hourStartMs <= now; hourStartMs += hourMs) {
        for (const record of await store.minutesInHour(id, hourStartMs))
          if (record.traffic.minuteStartMs >= fromMs) records.push(record);
        await Bun.sleep(0);
      }
      const stepMs = historyStepMs(Number(query.hours));
      return { agentId: id, nowMs: now, fromMs, stepMs, ...agentHistory(records, stepMs) };
    },
    {
      params: AgentParams,
      query: HistoryQuery,
      response: { 200: HistoryView, 400: ErrorBody, 404: ErrorBody },
      detail: about(
        "fleet",
        "An agent's last hours",
        "Rates, latency, power and temperature in up to 720 steps, and the roles and power modes that it had. Includes retired agents, as long as their minutes are kept.",
      ),
    },
  );
}
