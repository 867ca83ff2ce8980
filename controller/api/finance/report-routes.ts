import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { answerJson, answerText } from "#platform/http/answer-text.ts";
import { literals, strictObject } from "#platform/schema-parts.ts";
import { TenantName } from "#protocol/bounds.ts";
import { daysOf, monthOf } from "../../cost/history/sum-costs.ts";
import { ChargebackView, chargeBack, chargebackCsv, chargebackView } from "../../cost/reports/chargeback.ts";
import { focusCsv, maxFocusRows } from "../../cost/reports/focus-csv.ts";
import { invoiceHtml } from "../../cost/reports/invoice-html.ts";
import { windowForms, windowPattern } from "../../cost/window/parse-window.ts";
import type { ApiParts } from "../api-parts.ts";
import { readWindow } from "../read-window.ts";
import { about, ErrorBody } from "../schemas.ts";

export interface ReportParts extends Pick<ApiParts, "history" | "timeZone" | "nowMs" | "fleetName"> {
  /** Cost centre of a tenant; null: not told. */
  readonly costCentreOf: (tenant: string) => string | null;
}

const MonthText = Type.String({ pattern: "^[0-9]{4}-(0[1-9]|1[0-2])$", title: "a month such as 2026-11" });

const ExportQuery = strictObject({
  window: Type.String({ default: "month", pattern: windowPattern, title: windowForms }),
});
const ChargebackQuery = strictObject({
  month: Type.Optional({ ...MonthText, description: "absent: the present month" }),
  idle: Type.Unsafe<"weighted" | "none">({
    ...literals("weighted", "none"),
    default: "weighted",
    description: "weighted: idle time is shared among tenants by their use; none: it is charged to nobody",
  }),
  format: Type.Unsafe<"json" | "csv" | "html">({ ...literals("json", "csv", "html"), default: "json" }),
  tenant: Type.Optional({ ...TenantName, description: "only this tenant" }),
});

/** Name that a browser saves an answer as. */
const savedAs = (name: string) => ({ "content-disposition": `attachment; filename="${name}"` });
/** Page of an invoice: nothing of it is run or loaded. */
const inert = "default-src 'none'; style-src 'unsafe-inline'";

/** Answer in JSON, for the OpenAPI document. */
const asJson = (description: string, schema: TSchema) => ({
  description,
  content: { "application/json": { schema: schema as object } },
});

/** Routes of reports for finance: FOCUS, chargeback and invoices. */
export function reportRoutes({ history, timeZone, nowMs, fleetName, costCentreOf }: ReportParts) {
  return new Elysia()
    .get(
      "/api/v1/cost/export",
      async ({ query }) => {
        const { startMs, endMs } = readWindow(query.window, nowMs(), timeZone);
        // A day that the window cuts is charged for its part.
        const days = daysOf(await history.hours(startMs, endMs), timeZone).map(({ window, hours }) => ({
          ...{ hours, window: { startMs: Math.max(window.startMs, startMs), endMs: Math.min(window.endMs, endMs) } },
        }));
        const csv = focusCsv(days, { fleet: fleetName, timeZone, costCentreOf });
        if (csv === null)
          throw new ServiceError(
            "INVALID_REQUEST",
            `window: expected at most ${maxFocusRows} charges, got more: ask for a shorter one`,
            { details: { param: "window" } },
          );
        return answerText(csv, { "content-type": "text/csv; charset=utf-8", ...savedAs("focus.csv") });
      },
      {
        query: ExportQuery,
        detail: {
          ...about(
            "cost",
            "Costs in FOCUS 1.2",
            "CSV with one charge for each day, region, tenant and model, one for offers, and one for idle time.",
          ),
          responses: {
            200: { description: "The charges.", content: { "text/csv": { schema: Type.String() } } },
            400: asJson("The window is not valid, or has too many charges.", ErrorBody),
          },
        },
      },
    )
    .get(
      "/api/v1/cost/chargeback",
      async ({ query }) => {
        const month = query.month ?? monthOf(nowMs(), timeZone).month;
        const window = monthOf(month, timeZone);
        if (window.startMs > nowMs())
          throw new ServiceError("INVALID_REQUEST", `month: expected one that has begun, got "${month}"`, {
            details: { param: "month" },
          });
        const hours = await history.hours(window.startMs, window.endMs);
        const all = chargeBack(hours, {
          ...{ month, window: { startMs: window.startMs, endMs: window.endMs } },
          ...{ sharesIdle: query.idle === "weighted", costCentreOf },
        });
        const found = query.tenant === undefined ? all : onlyTenant(all, query.tenant);
        const name = `${fleetName}-${month}`;
        if (query.format === "csv")
          return answerText(chargebackCsv(found), {
            ...{ "content-type": "text/csv; charset=utf-8", ...savedAs(`${name}.csv`) },
          });
        if (query.format === "html")
          return answerText(invoiceHtml(found, fleetName), {
            ...{ "content-type": "text/html; charset=utf-8", "content-security-policy": inert },
          });
        return answerJson(chargebackView(found));
      },
      {
        query: ChargebackQuery,
        detail: {
          ...about(
            "cost",
            "Each tenant's costs for a month",
            "By model, as JSON, CSV or a page to print. Tenants and unshared idle time add up to the fleet's cost.",
          ),
          responses: {
            200: {
              description: "The tenants' parts, in the format asked for.",
              content: {
                "application/json": { schema: ChargebackView as object },
                "text/csv": { schema: Type.String() },
                "text/html": { schema: Type.String() },
              },
            },
            400: asJson("The month is not valid, or has not begun.", ErrorBody),
            404: asJson("There is no such tenant.", ErrorBody),
          },
        },
      },
    );
}

type Charged = ReturnType<typeof chargeBack>;

function onlyTenant(all: Charged, tenant: string): Charged {
  const tenants = all.tenants.filter((each) => each.tenant === tenant);
  const [only] = tenants;
  if (only === undefined) throw new ServiceError("NOT_FOUND", `tenant "${tenant}" has no cost in ${all.month}`);
  return { ...all, tenants, unshared: 0n, total: only.total };
}
