import { actionToText } from "../cost/budgets/budget.ts";
import type { CeilingChange, Limits } from "./decide-ceilings.ts";

const figure = (value: number) => String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** Writes limits by the minute: "12 requests and 300 tokens a minute". */
export function limitsToText({ requests, tokens }: Limits): string {
  const kinds = [
    ...(requests === null ? [] : [`${figure(requests)} requests`]),
    ...(tokens === null ? [] : [`${figure(tokens)} tokens`]),
  ];
  return `${kinds.join(" and ")} a minute`;
}

/** Explains that a budget limits a tenant, or does so no longer, with what that does to the tenant's requests. */
export function explainCeiling(change: CeilingChange, refused: number): string {
  const { budget, tenant, limits, base, limitPercent, endMs } = change.ceiling;
  if (change.kind === "lift") {
    // Without its name, which may be erased just now.
    if (change.cause === "tenant-gone") return "the limit of a tenant that was deleted is lifted";
    const cause = {
      "period-over": "the budget's period is over",
      "not-due": "the budget was raised, changed or removed",
    }[change.cause];
    return `tenant ${tenant} is no longer limited by budget ${budget} to ${limitsToText(limits)}: ${cause}`;
  }
  const { usedPercent, atPercent } = change.due;
  const step = actionToText({ action: "limit", limitPercent });
  const until = new Date(endMs).toISOString().slice(0, 16);
  const effect =
    refused > 0
      ? `of requests as in the newest 24 hours at least ${figure(100 * refused)} % are refused (429, no fault by the SLO)`
      : "requests as in the newest 24 hours are not refused, more are";
  return (
    `budget ${budget} of tenant ${tenant} is spent to ${figure(usedPercent)} % (${step} at ${figure(atPercent)} %): until ${until}Z it gets at most ` +
    `${limitsToText(limits)}, ${figure(limitPercent)} % of ${limitsToText(base)} before. Effect: ${effect}; other tenants keep what they have.`
  );
}
