import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { strictObject } from "#platform/schema-parts.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { FleetMinute } from "../store/store.ts";
import type { ApiParts } from "./api-parts.ts";
import { about, ErrorBody } from "./schemas.ts";

const TrafficQuery = strictObject({
  hours: Type.String({
    pattern: "^([1-9]|[1-9][0-9]|[1-2][0-9][0-9]|3[0-2][0-9]|33[0-6])$",
    title: "a whole number from 1 to 336",
    default: "24",
  }),
  untilMs: Type.Optional(
    Type.String({ pattern: "^[0-9]{1,15}$", title: "milliseconds since the epoch", description: "absent: now" }),
  ),
  step: Type.String({
    ...{ pattern: "^([1-9]|[1-5][0-9]|60)$", title: "a whole number from 1 to 60", default: "1" },
    description: "number of minutes averaged in each rate",
  }),
});

/** Means of the minutes on record of each step. */
function meansOf(minutes: readonly FleetMinute[], stepMs: number) {
  const steps = Map.groupBy(minutes, ({ minuteStartMs }) => Math.floor(minuteStartMs / stepMs) * stepMs);
  return [...steps].map(([minuteStartMs, of]) => ({
    minuteStartMs,
    qps: of.reduce((sum, { texts }) => sum + texts, 0) / 60 / of.length,
  }));
}

export const TrafficView = Type.Object({
  nowMs: Type.Number(),
  minutes: Type.Array(Type.Object({ minuteStartMs: Type.Number(), qps: Type.Number() })),
});

/** Route of the fleet's recorded traffic, on which a policy can be tried. */
export function trafficRoutes({ store, nowMs }: Pick<ApiParts, "store" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/traffic",
    async ({ query }) => {
      const now = nowMs();
      const untilMs = query.untilMs === undefined ? now : Number(query.untilMs);
      const minutes = await store.fleetMinutes(untilMs - Number(query.hours) * hourMs, untilMs);
      return { nowMs: now, minutes: meansOf(minutes, Number(query.step) * minuteMs) };
    },
    {
      query: TrafficQuery,
      response: { 200: TrafficView, 400: ErrorBody },
      detail: about(
        "fleet",
        "The fleet's rate, minute by minute",
        "Texts per second of all agents together, oldest first. Minutes without a report are absent.",
      ),
    },
  );
}
