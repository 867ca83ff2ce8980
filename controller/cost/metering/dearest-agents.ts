import type { UseOf } from "../../store/costs/cost-rows.ts";
import type { AllocationFilter } from "../allocation/allocation-input.ts";
import { type UsageParts, usageParts } from "../ledger/read-usage.ts";
import type { TimeWindow } from "../window/parse-window.ts";

export interface DearestAgents {
  /** The dearest of those that were used. */
  readonly agents: ReadonlySet<string>;
  /** Number of the others. */
  readonly others: number;
}

const fieldOf: Readonly<Record<string, keyof UseOf>> = {
  ...{ region: "region", cluster: "region", tenant: "tenant", namespace: "tenant", model: "model", container: "model" },
};

/** Reads a filter as the use that counts; null: it asks for more than one region, tenant and model. */
function useOf(filter: AllocationFilter | readonly AllocationFilter[] | null): UseOf | null {
  const use: { -readonly [Field in keyof UseOf]: UseOf[Field] } = { region: null, tenant: null, model: null };
  for (const { op, field, value } of [filter ?? []].flat()) {
    const of = fieldOf[field];
    if (op !== "eq" || of === undefined || use[of] !== null) return null;
    use[of] = value;
  }
  return use;
}

/**
 * Finds the agents of which most was used in a window, by its whole hours and days; one more than `top` if they are so many, as one alone is no group of
 * others. null: their lines don't tell, as the window is within an hour or the filter of another kind.
 */
export async function findDearestAgents(
  window: TimeWindow,
  filter: AllocationFilter | readonly AllocationFilter[] | null,
  top: number,
  parts: Pick<UsageParts, "store" | "nowMs">,
): Promise<DearestAgents | null> {
  const use = useOf(filter);
  if (use === null) return null;
  const lines = (await usageParts(window, true, parts))?.parts.filter((part) => part.span !== "minute") ?? [];
  if (lines.length === 0) return null;
  const sums = new Map<string, number>();
  for (const { span, startMs } of lines) {
    for (const { agentId, micro } of await parts.store.usedByAgent(span, startMs, use))
      sums.set(agentId, (sums.get(agentId) ?? 0) + micro);
    await Bun.sleep(0);
  }
  const sorted = [...sums].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).map(([agentId]) => agentId);
  const shown = sorted.length > top + 1 ? sorted.slice(0, top) : sorted;
  return { agents: new Set(shown), others: sorted.length - shown.length };
}
