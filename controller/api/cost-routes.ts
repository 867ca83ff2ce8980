import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { strictObject } from "#platform/schema-parts.ts";
import { CostAllocation } from "../cost/allocate-cost.ts";
import { CostReport } from "../cost/cost-report.ts";
import { datedPrices } from "../cost/prices/price-source.ts";
import { PowerReport, PowerReportBuilder } from "../cost/report-power.ts";
import { type TimeWindow, windowForms, windowPattern } from "../cost/window/parse-window.ts";
import type { MinuteRecord } from "../store/store.ts";
import type { ApiParts } from "./api-parts.ts";
import { readWindow } from "./read-window.ts";
import { about, ErrorBody } from "./schemas.ts";

const WindowQuery = strictObject({
  window: Type.String({ default: "24h", pattern: windowPattern, title: windowForms }),
});

export function costRoutes({ store, fleet, ledger, prices, openPrices, timeZone, powerAssumptions, nowMs }: ApiParts) {
  const births = () => new Map(fleet.agents().map(({ agentId, birth }) => [agentId, birth]));
  // As cost lines have them, so that a report says the same of a minute as /allocation.
  const pricesThen = () => datedPrices(openPrices(), ledger.history);
  const reportOn = async <R>(
    text: string,
    sums: { add(minute: MinuteRecord): void; report(window: TimeWindow): R },
  ) => {
    const window = readWindow(text, nowMs(), timeZone);
    for await (const minute of store.minutes(window.startMs, window.endMs)) sums.add(minute);
    return sums.report(window);
  };
  return new Elysia()
    .get("/api/v1/cost", ({ query }) => reportOn(query.window, new CostAllocation(births(), prices, pricesThen())), {
      query: WindowQuery,
      response: { 200: CostReport, 400: ErrorBody },
      detail: about(
        "cost",
        "Energy and cost of a window",
        "Total, by agent, by model, by use, per 1,000 requests, and compared with all agents on in their most capable mode.",
      ),
    })
    .get(
      "/api/v1/power/report",
      ({ query }) => reportOn(query.window, new PowerReportBuilder(births(), powerAssumptions, pricesThen())),
      {
        query: WindowQuery,
        response: { 200: PowerReport, 400: ErrorBody },
        detail: about(
          "cost",
          "Savings by power modes in a window",
          "Energy, money, CO2 and minutes in each mode, compared with every device in its top mode and with the cheapest mode for each minute.",
        ),
      },
    );
}
