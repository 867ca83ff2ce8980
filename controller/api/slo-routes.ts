import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { SloRow } from "../slo/slo-report.ts";
import type { ApiParts } from "./api-parts.ts";
import { about } from "./schemas.ts";

const SloView = Type.Object({ nowMs: Type.Number(), rows: Type.Array(SloRow) });

/** Route of availability and latency against their targets. */
export function sloRoutes({ sloReports, nowMs }: Pick<ApiParts, "sloReports" | "nowMs">) {
  return new Elysia().get("/api/v1/slo", async () => ({ nowMs: nowMs(), rows: await sloReports.rows() }), {
    response: { 200: SloView },
    detail: about(
      "fleet",
      "Service that users got",
      "Availability, latency, error budget left and burn rate of the last 1 h, 24 h and 30 d, by fleet, region and model.",
    ),
  });
}
