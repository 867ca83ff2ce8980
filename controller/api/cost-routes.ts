import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { CostAllocation } from "../cost/allocate-cost.ts";
import { CostReport } from "../cost/cost-report.ts";
import { parseWindow, type TimeWindow } from "../cost/parse-window.ts";
import { PowerReport, PowerReportBuilder } from "../cost/report-power.ts";
import type { MinuteRecord } from "../store/store.ts";
import type { ApiParts } from "./api-parts.ts";
import { about, ErrorBody } from "./schemas.ts";

const WindowQuery = strictObject({
  window: Type.String({
    default: "24h",
    pattern: "^([0-9]{1,6}[mhdw]|[0-9]{1,16},[0-9]{1,16})$",
    title: "15m, 24h, 7d or 2w (up to now), or startMs,endMs with startMs < endMs",
  }),
});

/** Parses a window. @throws ServiceError when the text is none. */
function readWindow(text: string, nowMs: number) {
  const window = parseWindow(text, nowMs);
  if (window !== null) return window;
  const expected = "15m, 24h, 7d or 2w, or startMs,endMs with startMs < endMs";
  const message = `window: expected ${expected}, got "${text}"`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "window" } });
}

export function costRoutes({ store, fleet, prices, powerAssumptions, nowMs }: ApiParts) {
  const births = () => new Map(fleet.agents().map(({ agentId, birth }) => [agentId, birth]));
  const reportOn = async <R>(
    text: string,
    sums: { add(minute: MinuteRecord): void; report(window: TimeWindow): R },
  ) => {
    const window = readWindow(text, nowMs());
    for await (const minute of store.minutes(window.startMs, window.endMs)) sums.add(minute);
    return sums.report(window);
  };
  return new Elysia()
    .get("/api/v1/cost", ({ query }) => reportOn(query.window, new CostAllocation(births(), prices)), {
      query: WindowQuery,
      response: { 200: CostReport, 400: ErrorBody },
      detail: about(
        "cost",
        "Energy and cost of a window",
        "Total, by agent, by model, by use, per 1,000 requests, and beside all agents on in their most capable mode.",
      ),
    })
    .get(
      "/api/v1/power/report",
      ({ query }) => reportOn(query.window, new PowerReportBuilder(births(), powerAssumptions)),
      {
        query: WindowQuery,
        response: { 200: PowerReport, 400: ErrorBody },
        detail: about(
          "cost",
          "Savings by power modes in a window",
          "Energy, money and CO2, minutes in each mode, beside every device in its top mode and beside the cheapest mode for each minute.",
        ),
      },
    );
}
