import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/bounds.ts";

/** Steps that a budget takes when a share of it is spent. */
export const budgetActions = ["notify", "freeze-offers", "widen-standby", "tighten-modes", "limit"] as const;

const scopeKinds = ["fleet", "region", "tenant", "model"] as const;
const periods = ["daily", "weekly", "monthly"] as const;

export const BudgetAction = strictObject({
  atPercent: Type.Number({ minimum: 1, maximum: 1000, description: "share of the amount from which it is taken" }),
  action: Type.Unsafe<(typeof budgetActions)[number]>({
    ...literals(...budgetActions),
    description:
      "notify: an alert; the others are an alert, too, and tell the plan to buy no more of offers, to let fewer devices wait, or to choose cheaper modes; limit puts a ceiling on a tenant's requests until the period ends",
  }),
  limitPercent: Type.Optional(
    Type.Number({
      ...{ minimum: 1, maximum: 100 },
      description: "with limit: the ceiling, as a share of the tenant's mean over the last 24 hours",
    }),
  ),
});
export type BudgetAction = Static<typeof BudgetAction>;

export const Budget = strictObject({
  id: { ...Identifier, description: "name of the budget" },
  scope: strictObject(
    {
      kind: Type.Unsafe<(typeof scopeKinds)[number]>(literals(...scopeKinds)),
      name: orNull(
        Type.String({ minLength: 1, maxLength: 128 }),
        "of the region, tenant or model; null with kind fleet",
      ),
    },
    { description: "what may cost the amount" },
  ),
  period: Type.Unsafe<(typeof periods)[number]>({
    ...literals(...periods),
    description: "time for which the amount is meant, in cost.timeZone; weeks begin on Sunday",
  }),
  amountUsd: Type.Number({ minimum: 0.01, maximum: 1e9, description: "amount for each period, US$" }),
  actions: Type.Array(BudgetAction, {
    ...{ minItems: 1, maxItems: 16 },
    description: "what is done at which share of it",
  }),
});
export type Budget = Static<typeof Budget>;

/** Budgets as they are kept. */
export const KeptBudgets = strictObject({ budgets: Type.Array(Budget, { maxItems: 200 }) });

/** Most budgets of a fleet: each is computed every minute. */
export const maxBudgets = 200;

/** Writes an action as commands take it: `notify`, `limit-50`. */
export function actionToText({ action, limitPercent }: Pick<BudgetAction, "action" | "limitPercent">): string {
  return limitPercent === undefined ? action : `${action}-${limitPercent}`;
}

/** Mistake in a budget beyond its schema; null: none. */
export function budgetFault({ scope, actions }: Budget): string | null {
  if (scope.kind === "fleet" && scope.name !== null)
    return `scope.name: expected null for the fleet, got "${scope.name}"`;
  if (scope.kind !== "fleet" && scope.name === null)
    return `scope.name: expected the name of a ${scope.kind}, got null`;
  for (const { action, limitPercent } of actions) {
    if (action !== "limit" && limitPercent !== undefined)
      return `actions.limitPercent: expected it with limit only, got ${limitPercent} with ${action}`;
    if (action === "limit" && limitPercent === undefined)
      return "actions.limitPercent: expected a share from 1 to 100 with limit, got none";
    if (action === "limit" && scope.kind !== "tenant")
      return `actions: expected limit in the budget of a tenant only, got it in one of kind ${scope.kind}`;
  }
  const steps = actions.map((step) => `${actionToText(step)} at ${step.atPercent} %`);
  const twice = steps.find((step, index) => steps.indexOf(step) !== index);
  return twice === undefined ? null : `actions: expected each once, got "${twice}" twice`;
}
