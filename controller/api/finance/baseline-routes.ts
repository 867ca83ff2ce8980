import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/bounds.ts";
import { Baseline, Baselines } from "../../cost/baseline/baselines.ts";
import type { Comparison } from "../../cost/baseline/decide-comparison.ts";
import { explainComparison } from "../../cost/baseline/explain-comparison.ts";
import { type CostDimension, costDimensions } from "../../cost/history/sum-costs.ts";
import { windowForms, windowPattern } from "../../cost/window/parse-window.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { readWindow } from "../read-window.ts";
import { about, ErrorBody } from "../schemas.ts";

const window = Type.String({ default: "lastmonth", maxLength: 64, pattern: windowPattern, title: windowForms });
const BaselineBody = strictObject({ name: Identifier, window });
const CompareQuery = strictObject({
  baseline: Identifier,
  window: { ...window, default: "7d" },
  by: Type.Unsafe<CostDimension>({ ...literals(...costDimensions), default: "tenant" }),
});
const BaselineAnswer = Type.Object({ baseline: Baseline });
const money = (description: string) => Type.Number({ description });
const ComparisonView = Type.Unsafe<Comparison & { readonly baseline: Baseline; readonly reason: string }>(
  Type.Object({
    ...{
      beforeUsdPerDay: Type.Number(),
      afterUsdPerDay: Type.Number(),
      savedUsdPerDay: money("negative: costs have risen"),
    },
    savedShare: orNull(Type.Number(), "null: nothing was paid before"),
    beforeUsdPerMillion: orNull(Type.Number(), "price per million requests; null: none"),
    afterUsdPerMillion: orNull(Type.Number(), "null: none"),
    yearlySavedAtSameRequestsUsd: orNull(Type.Number(), "by the price per request; null: no requests on one side"),
    parts: Type.Array(
      Type.Object({
        name: Type.String({ description: "empty: idle time" }),
        ...{ beforeUsdPerDay: Type.Number(), afterUsdPerDay: Type.Number(), savedUsdPerDay: Type.Number() },
      }),
    ),
    baseline: Baseline,
    reason: Type.String(),
  }),
);
const forOperators = (summary: string) => ({ ...about("cost", summary), ...needsRole("operator") });

/** Routes of baselines: costs of a time before a change, and what came after it. */
export function baselineRoutes({ store, history, audit, timeZone, nowMs }: ApiParts) {
  const baselines = new Baselines({ store, history });
  const windowOf = (text: string) => readWindow(text, nowMs(), timeZone);
  return new Elysia()
    .get("/api/v1/cost/baselines", async () => ({ baselines: await baselines.list() }), {
      response: { 200: Type.Object({ baselines: Type.Array(Baseline) }) },
      detail: about("cost", "Baselines", "Stored costs of earlier periods, for comparison."),
    })
    .post(
      "/api/v1/cost/baselines",
      async ({ body, request }) => {
        const change = { action: "baselines.set", target: body.name, before: null };
        const set = () => baselines.set(body.name, windowOf(body.window));
        const after = ({ days, usd }: Baseline) => ({ days, usd });
        return { baseline: await audit.change(auditSourceOf(request), change, set, after) };
      },
      {
        ...jsonBody(BaselineBody),
        ...withReason,
        response: { 200: BaselineAnswer, 400: ErrorBody, 409: ErrorBody, 413: ErrorBody, 503: ErrorBody },
        detail: forOperators("Store a period's costs as a baseline"),
      },
    )
    .delete(
      "/api/v1/cost/baselines/:id",
      async ({ params: { id }, request, set }) => {
        const change = { action: "baselines.delete", target: id, before: null };
        await audit.change(
          auditSourceOf(request),
          change,
          () => baselines.remove(id),
          () => null,
        );
        set.status = 204;
      },
      {
        params: Type.Object({ id: Identifier }),
        ...withReason,
        response: {
          ...{ 204: Type.Void({ description: "It is removed." }), 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        },
        detail: forOperators("Remove a baseline"),
      },
    )
    .get(
      "/api/v1/cost/compare",
      async ({ query }) => {
        const found = await baselines.compare(query.baseline, windowOf(query.window), query.by);
        return { ...found, parts: [...found.parts], reason: explainComparison(found) };
      },
      {
        query: CompareQuery,
        response: { 200: ComparisonView, 400: ErrorBody, 404: ErrorBody },
        detail: about("cost", "Before and after", "Change since a baseline: per day, per request, and by part."),
      },
    );
}
