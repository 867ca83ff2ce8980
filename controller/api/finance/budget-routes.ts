import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/bounds.ts";
import { Budget, BudgetAction } from "../../cost/budgets/budget.ts";
import type { BudgetState } from "../../cost/budgets/decide-budget-state.ts";
import { explainBudgetState } from "../../cost/budgets/explain-budget-state.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { CeilingView, type ShownCeiling, shownCeiling } from "../ceiling-view.ts";
import { about, ErrorBody } from "../schemas.ts";

const BudgetView = Type.Unsafe<BudgetState & { readonly ceiling: ShownCeiling | null; readonly reason: string }>(
  Type.Object({
    budget: Budget,
    period: Type.Object({ startMs: Type.Number(), endMs: Type.Number() }),
    status: Type.Union([Type.Literal("within"), Type.Literal("at-risk"), Type.Literal("exceeded")], {
      description: "at-risk: at the present rate, more than the amount will be spent by the end of the period",
    }),
    spentUsd: Type.Number(),
    projectedUsd: Type.Number({ description: "at the end of the period, at the rate of the last 24 hours" }),
    ...{ usedPercent: Type.Number(), projectedPercent: Type.Number() },
    spentByMs: orNull(
      Type.Number(),
      "time at which the whole amount is spent at this rate; null: not within the period",
    ),
    reached: Type.Array(BudgetAction, { description: "actions that are due" }),
    ceiling: orNull(CeilingView, "limits it imposes on its tenant; null: none"),
    reason: Type.String(),
  }),
);

const BudgetParams = Type.Object({ id: Identifier });
const changed = (summary: string, description?: string) => ({
  ...about("cost", summary, description),
  ...needsRole("operator"),
});

/** Routes of the budgets. */
export function budgetRoutes({ alerts: { budgets, ceilings }, audit }: Pick<ApiParts, "alerts" | "audit">) {
  const ceilingOf = (id: string): ShownCeiling | null => {
    const held = ceilings.list().find(({ budget }) => budget === id);
    return held === undefined ? null : shownCeiling(held);
  };
  return new Elysia()
    .get(
      "/api/v1/budgets",
      async () => ({
        budgets: (await budgets.look()).map((state) => ({
          ...{ ...state, ceiling: ceilingOf(state.budget.id), reason: explainBudgetState(state) },
        })),
      }),
      {
        response: { 200: Type.Object({ budgets: Type.Array(BudgetView) }) },
        detail: about("cost", "Budgets", "Amount spent and projected for each, and which of its actions are due."),
      },
    )
    .post(
      "/api/v1/budgets",
      async ({ body, request }) => {
        const change = { action: "budgets.set", target: body.id, before: budgets.get(body.id) };
        return { budget: await audit.change(auditSourceOf(request), change, () => budgets.set(body)) };
      },
      {
        ...jsonBody(Budget),
        ...withReason,
        response: {
          ...{ 200: Type.Object({ budget: Budget }), 400: ErrorBody, 409: ErrorBody, 413: ErrorBody, 503: ErrorBody },
        },
        detail: changed("Create or replace a budget"),
      },
    )
    .delete(
      "/api/v1/budgets/:id",
      async ({ params: { id }, request, set }) => {
        const change = { action: "budgets.delete", target: id, before: budgets.get(id) };
        await audit.change(
          auditSourceOf(request),
          change,
          () => budgets.remove(id),
          () => null,
        );
        set.status = 204;
      },
      {
        params: BudgetParams,
        ...withReason,
        response: {
          ...{ 204: Type.Void({ description: "It is removed." }), 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        },
        detail: changed("Remove a budget"),
      },
    );
}
