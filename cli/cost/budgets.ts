import type { Limits } from "#controller/access/decide-ceilings.ts";
import { limitsToText } from "#controller/access/explain-ceilings.ts";
import { actionToText, type Budget, budgetActions } from "#controller/cost/budgets/budget.ts";
import type { BudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { Identifier } from "#protocol/bounds.ts";
import { reasonOf, reasonOption } from "../access/with-controller-store.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";

const path = "/api/v1/budgets";
const scopes = ["region", "tenant", "model"] as const;
const defaultSteps = "80:notify,100:notify";

function scopeOf(values: OptionValues): Budget["scope"] {
  const given = scopes.filter((kind) => kind in values);
  if (given.length > 1) throw new UsageError(`--${given[0]} and --${given[1]}: a budget is for one of them`);
  const [kind] = given;
  return kind === undefined ? { kind: "fleet", name: null } : { kind, name: optionalString(values, kind) ?? "" };
}

const shownActions = budgetActions.map((action) => (action === "limit" ? "limit-PERCENT (1 to 100)" : action));

/** Reads steps such as `80:notify,100:limit-50`. */
function stepsOf(text: string): Budget["actions"] {
  return text.split(",").map((step) => {
    const [, percent, name, limit] =
      /^\s*(\d{1,4}(?:\.\d+)?)\s*:\s*([a-z-]*[a-z])(?:-(\d{1,3}(?:\.\d+)?))?\s*$/.exec(step) ?? [];
    const action = budgetActions.find((each) => each === name);
    const limitPercent = limit === undefined ? undefined : Number(limit);
    const isLimit = limitPercent !== undefined && limitPercent >= 1 && limitPercent <= 100;
    if (percent === undefined || action === undefined || (action === "limit" ? !isLimit : limitPercent !== undefined))
      throw new UsageError(
        `--at: expected steps such as 80:notify,100:limit-50, with ${shownActions.join(", ")}; got "${step.trim()}"`,
      );
    return { atPercent: Number(percent), action, ...(limitPercent === undefined ? {} : { limitPercent }) };
  });
}

const scopeToText = ({ kind, name }: Budget["scope"]) => (kind === "fleet" ? "fleet" : `${kind} ${name}`);
const percent = (value: number) => `${value.toFixed(0)} %`;

/** Budget as the controller shows it, with the ceiling that it has put on its tenant. */
type ShownBudget = BudgetState & { readonly ceiling?: Limits | null };

function dueToText({ reached, ceiling }: ShownBudget): string {
  const due = [...new Set(reached.map(actionToText))].join(", ") || "-";
  return ceiling == null ? due : `${due} (${limitsToText(ceiling)})`;
}

/** Shows budgets in a table. */
export function budgetsToText(states: readonly ShownBudget[]): string {
  if (states.length === 0) return "there are no budgets: thormesh budgets set NAME --amount 185 --period daily";
  const rows = states.map((state) => [
    ...[state.budget.id, scopeToText(state.budget.scope), state.budget.period, state.budget.amountUsd.toFixed(2)],
    ...[
      `${state.spentUsd.toFixed(2)} (${percent(state.usedPercent)})`,
      `${state.projectedUsd.toFixed(2)} (${percent(state.projectedPercent)})`,
    ],
    ...[state.status, dueToText(state)],
  ]);
  return formatTable(["BUDGET", "OF", "PERIOD", "US$", "SPENT", "PROJECTED", "STATUS", "DUE"], rows);
}

function onlyId(words: readonly string[]): string {
  const [id, ...more] = words;
  if (id === undefined || more.length > 0 || !new RegExp(Identifier.pattern as string).test(id))
    throw new UsageError(`expected the name of one budget, ${Identifier.title}; got "${words.join(" ")}"`);
  return id;
}

async function set(values: OptionValues, id: string): Promise<number> {
  const amountUsd = optionalNumber(values, "amount", { min: 0.01, max: 1e9 });
  if (amountUsd === undefined) throw new UsageError("--amount is required");
  const budget: Budget = {
    ...{ id, scope: scopeOf(values), amountUsd },
    period: optionalChoice(values, "period", ["daily", "weekly", "monthly"]) ?? "monthly",
    actions: stepsOf(optionalString(values, "at") ?? defaultSteps),
  };
  await askController(values, path, { method: "POST", body: budget, ...reasonOf(values) });
  console.log(values["json"] === true ? JSON.stringify({ budget }, null, 2) : `budget ${id} is set`);
  return 0;
}

export const budgetsCommand: Command = {
  summary: "set budgets for the fleet, a region, a tenant or a model, and show what has been spent",
  usage:
    "list\n       thormesh budgets set NAME --amount US$ [--period daily|weekly|monthly] [--region|--tenant|--model NAME]\n         [--at 80:notify,100:limit-50]\n       thormesh budgets delete NAME\n       each with [--url URL] [--reason TEXT] [--json]",
  examples: ["thormesh budgets set fleet --amount 185 --period daily"],
  options: {
    amount: { only: "set", value: "US$", help: "amount for each period" },
    period: { only: "set", value: "PERIOD", help: "daily, weekly (from Sunday) or monthly (default)" },
    region: { only: "set", value: "NAME", help: "region that the budget covers (default: the fleet)" },
    tenant: { only: "set", value: "NAME", help: "… a tenant's" },
    model: { only: "set", value: "NAME", help: "… a model's" },
    at: { only: "set", value: "STEPS", help: `actions by percentage spent (default: ${defaultSteps})` },
    ...controllerUrlOption,
    ...reasonOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    switch (action) {
      case "list": {
        if (rest.length > 0) throw new UsageError(`budgets list: expected nothing more, got "${rest.join(" ")}"`);
        const { budgets } = (await askController(values, path)) as { readonly budgets: readonly ShownBudget[] };
        console.log(values["json"] === true ? JSON.stringify({ budgets }, null, 2) : budgetsToText(budgets));
        return 0;
      }
      case "set":
        return set(values, onlyId(rest));
      case "delete": {
        const id = onlyId(rest);
        await askController(values, `${path}/${id}`, { method: "DELETE", ...reasonOf(values) });
        console.log(values["json"] === true ? JSON.stringify({ deleted: id }) : `budget ${id} is removed`);
        return 0;
      }
      default:
        throw unexpectedWord("list, set or delete", action, ["list", "set", "delete"]);
    }
  },
};
