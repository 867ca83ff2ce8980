import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { createCostAllocation } from "../cost/allocate-cost.ts";
import { CostReport } from "../cost/cost-report.ts";
import { parseWindow } from "../cost/parse-window.ts";
import type { ApiParts } from "./api-parts.ts";
import { ErrorBody } from "./schemas.ts";

const CostQuery = Type.Object(
  {
    window: Type.String({ default: "24h", maxLength: 64, description: "15m, 24h, 7d, 2w up to now, or startMs,endMs" }),
  },
  { additionalProperties: false },
);

/** What the fleet costs. */
export function costRoutes({ store, fleet, prices, nowMs }: ApiParts) {
  return new Elysia().get(
    "/api/v1/cost",
    async ({ query }) => {
      const window = parseWindow(query.window, nowMs());
      if (window === null) {
        const expected = "15m, 24h, 7d or 2w, or startMs,endMs with startMs < endMs";
        const message = `window: expected ${expected}, got "${query.window}"`;
        throw new ServiceError("INVALID_REQUEST", message, { details: { param: "window" } });
      }
      const births = new Map(fleet.agents().map(({ agentId, birth }) => [agentId, birth]));
      const allocation = createCostAllocation(births, prices);
      for await (const minute of store.minutes(window.startMs, window.endMs)) allocation.add(minute);
      return allocation.report(window);
    },
    {
      query: CostQuery,
      response: { 200: CostReport, 400: ErrorBody },
      detail: {
        summary: "Energy and cost of a window",
        description:
          "Total, by agent, by model, by use, per 1,000 requests, and beside all agents on in their most capable mode.",
        tags: ["cost"],
      },
    },
  );
}
