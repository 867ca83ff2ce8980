import { actionToText } from "../cost/budgets/budget.ts";
import type { CeilingChange, Limits } from "./decide-ceilings.ts";

const figure = (value: number) => String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** Writes limits by the minute: "12 requests and 300 tokens per minute". */
export function limitsToText({ requests, tokens }: Limits): string {
  const kinds = [
    ...(requests === null ? [] : [`${figure(requests)} requests`]),
    ...(tokens === null ? [] : [`${figure(tokens)} tokens`]),
  ];
  return `${kinds.join(" and ")} per minute`;
}

/** Explains that a budget limits a tenant or no longer does, with the effect on the tenant's requests. */
export function explainCeiling(change: CeilingChange, refused: number): string {
  const { budget, tenant, limits, base, limitPercent, endMs } = change.ceiling;
  if (change.kind === "lift") {
    // Without its name, which may be erased just now.
    if (change.cause === "tenant-gone") return "the tenant was deleted, so its limit is lifted";
    const cause = {
      "period-over": "the budget's period has ended",
      "not-due": "the budget was raised, changed or removed",
    }[change.cause];
    return `tenant ${tenant} is no longer limited by budget ${budget} to ${limitsToText(limits)}: ${cause}`;
  }
  const { usedPercent, atPercent } = change.due;
  const step = actionToText({ action: "limit", limitPercent });
  const until = new Date(endMs).toISOString().slice(0, 16);
  const effect =
    refused > 0
      ? `if requests stay as in the last 24 hours, at least ${figure(100 * refused)} % are refused (429, not counted against the SLO)`
      : "requests stay within the limit if they stay as in the last 24 hours; any more are refused";
  return (
    `budget ${budget} of tenant ${tenant} is ${figure(usedPercent)} % spent (${step} at ${figure(atPercent)} %): until ${until}Z it gets at most ` +
    `${limitsToText(limits)}, ${figure(limitPercent)} % of ${limitsToText(base)} before. Effect: ${effect}; other tenants are not affected.`
  );
}
