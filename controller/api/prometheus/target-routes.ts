import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { senderOf } from "#platform/http/guard/request-caller.ts";
import type { ApiParts } from "../api-parts.ts";
import { about } from "../schemas.ts";
import { type ScrapeTarget, scrapeTargets } from "./scrape-targets.ts";

const Targets = Type.Unsafe<readonly ScrapeTarget[]>(
  Type.Array(
    Type.Object({
      targets: Type.Array(Type.String({ description: "host and port" })),
      labels: Type.Record(Type.String(), Type.String()),
    }),
  ),
);

/** Route by which Prometheus finds the agents (`http_sd_configs`). */
export function targetRoutes({ fleet, fleetName }: Pick<ApiParts, "fleet" | "fleetName">) {
  return new Elysia().get(
    "/api/v1/prometheus/targets",
    ({ request }) => [...scrapeTargets(fleet.agents(), fleetName, isLoopback(senderOf(request) ?? ""))],
    {
      response: { 200: Targets },
      detail: about(
        "operations",
        "Agents' addresses for Prometheus",
        "In the format of HTTP service discovery, with the labels agent, cluster, region and board. Agents on a loopback address are shown to callers on this machine only.",
      ),
    },
  );
}
