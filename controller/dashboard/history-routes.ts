import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { ApiParts } from "../api/api-parts.ts";
import { about, ErrorBody } from "../api/schemas.ts";
import { keptFigures } from "./fleet-history.ts";

const HistoryQuery = strictObject({
  hours: Type.String({ pattern: "^([1-9]|1[0-9]|2[0-4])$", title: "a whole number from 1 to 24", default: "3" }),
});

const Column = Type.Array(orNull(Type.Number()));
export const FleetHistoryView = Type.Object({
  nowMs: Type.Number({ description: "the controller's clock" }),
  traffic: Type.Object(
    { minutes: Type.Array(Type.Number()), textsPerS: Type.Array(Type.Number()) },
    { description: "recorded texts per second, by the start of their minute" },
  ),
  minutes: Type.Array(Type.Number(), { description: "starts of the figures' minutes" }),
  figures: Type.Unsafe<Readonly<Record<(typeof keptFigures)[number], readonly (number | null)[]>>>(
    Type.Object(Object.fromEntries(keptFigures.map((name) => [name, Column])), {
      description: "figures of the fleet, minute by minute since this controller started; null: unknown",
    }),
  ),
});
export type FleetHistoryView = Static<typeof FleetHistoryView>;

/** Route of the fleet's past figures. */
export function fleetHistoryRoutes({ fleetHistory, store, nowMs }: Pick<ApiParts, "fleetHistory" | "store" | "nowMs">) {
  return new Elysia().get(
    "/api/v1/fleet/history",
    async ({ query: { hours = "3" } }) => {
      const now = nowMs();
      const fromMs = Math.floor(now / minuteMs) * minuteMs - Number(hours) * hourMs;
      const traffic = await store.fleetMinutes(fromMs, now);
      return {
        nowMs: now,
        traffic: {
          minutes: traffic.map(({ minuteStartMs }) => minuteStartMs),
          textsPerS: traffic.map(({ texts }) => (texts * 1000) / minuteMs),
        },
        ...fleetHistory.since(fromMs),
      };
    },
    {
      query: HistoryQuery,
      response: { 200: FleetHistoryView, 400: ErrorBody },
      detail: about(
        "fleet",
        "The fleet's figures, minute by minute",
        "Up to 24 hours. The rate comes from the records; the other figures are kept in memory and begin with this controller's start.",
      ),
    },
  );
}
