import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { orNull } from "#platform/schema-parts.ts";
import type { CostConfig } from "../../cost/cost-config.ts";
import { forecastSpend, type MonthlySpend } from "../../cost/spend/forecast-spend.ts";
import type { ApiParts } from "../api-parts.ts";
import { about } from "../schemas.ts";

const range = {
  expectedUsd: Type.Number(),
  lowUsd: orNull(Type.Number(), "lower end of an interval of 80 %; null: nothing is on record that tells it"),
  highUsd: orNull(Type.Number(), "its upper end"),
};

const SpendView = Type.Unsafe<MonthlySpend>(
  Type.Object({
    month: Type.String(),
    spentUsd: Type.Number({ description: "so far" }),
    rest: Type.Object(range, { description: "rest of the month" }),
    total: Type.Object(range, { description: "the whole month" }),
    next: Type.Object({ month: Type.String(), ...range }),
    dailyUsd: Type.Number({ description: "cost of a typical day at present" }),
    days: Type.Integer({ description: "number of whole days it is based on" }),
    reason: Type.String(),
  }),
);

/** Route of the forecast of this month's and next month's cost. */
export function spendRoutes(
  { history, timeZone, nowMs }: Pick<ApiParts, "history" | "timeZone" | "nowMs">,
  { planned }: Pick<CostConfig, "planned">,
) {
  return new Elysia().get(
    "/api/v1/cost/forecast",
    () => forecastSpend(history, { nowMs: nowMs(), timeZone, planned }),
    {
      response: { 200: SpendView },
      detail: about(
        "cost",
        "Forecast of this month's and next month's cost",
        "From the days on record, the days of the week and known changes (cost.planned), with an 80 % interval.",
      ),
    },
  );
}
