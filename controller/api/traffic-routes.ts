import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { strictObject } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";
import type { ApiParts } from "./api-parts.ts";
import { about, ErrorBody } from "./schemas.ts";

const TrafficQuery = strictObject({
  hours: Type.String({
    pattern: "^([1-9]|[1-9][0-9]|[1-2][0-9][0-9]|3[0-2][0-9]|33[0-6])$",
    title: "a whole number from 1 to 336",
    default: "24",
  }),
});

const TrafficView = Type.Object({
  nowMs: Type.Number(),
  minutes: Type.Array(Type.Object({ minuteStartMs: Type.Number(), qps: Type.Number() })),
});

/** Route of the fleet's recorded traffic, on which a policy can be tried. */
export function trafficRoutes({ store, nowMs }: Pick<ApiParts, "store" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/traffic",
    async ({ query }) => {
      const now = nowMs();
      const minutes = await store.fleetMinutes(now - Number(query.hours) * hourMs, now);
      return { nowMs: now, minutes: minutes.map(({ minuteStartMs, texts }) => ({ minuteStartMs, qps: texts / 60 })) };
    },
    {
      query: TrafficQuery,
      response: { 200: TrafficView, 400: ErrorBody },
      detail: about(
        "fleet",
        "The fleet's rate, minute by minute",
        "Texts a second of all agents together, oldest first. Minutes without a report are absent.",
      ),
    },
  );
}
