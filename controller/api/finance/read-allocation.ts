import { readGaps } from "../../cost/ledger/read-gaps.ts";
import { readUsage } from "../../cost/ledger/read-usage.ts";
import {
  type AllocationQuery,
  type AllocationSet,
  allocateWindow,
  missingEnergyMinutes,
} from "../../cost/metering/allocation-sets.ts";
import type { PriceGap } from "../../cost/prices/price-list.ts";
import { explainGaps } from "../../cost/prices/price-source.ts";
import type { ApiParts } from "../api-parts.ts";

export interface ReadAllocation {
  readonly sets: readonly AllocationSet[];
  /** Gaps of the figures; null: none. */
  readonly warning: string | null;
}

/** Tells what the figures lack. */
function warningOf(
  sets: readonly AllocationSet[],
  gaps: readonly PriceGap[],
  { isUnfinished, isRepricing }: { readonly isUnfinished: boolean; readonly isRepricing: boolean },
): string | null {
  const missing = missingEnergyMinutes(sets);
  const lines = [
    missing < 1
      ? null
      : `the energy of ${Math.round(missing)} agent-minutes is unknown: the true cost is higher than shown`,
    explainGaps(gaps),
    isUnfinished ? "minutes are still being rated: their cost is missing" : null,
    isRepricing ? "the prices have changed: some hours still have their earlier cost" : null,
  ].filter((line) => line !== null);
  return lines.length === 0 ? null : lines.join("; ");
}

/** Creates the one reader of who pays what: of OpenCost's routes and of the cost page. */
export function allocationReader({
  store,
  fleet,
  ledger,
  nowMs,
}: Pick<ApiParts, "store" | "fleet" | "ledger" | "nowMs">) {
  return async (query: AllocationQuery): Promise<ReadAllocation> => {
    const tags = new Map(fleet.agents().map(({ agentId, birth }) => [agentId, birth?.tags ?? {}]));
    const parts = { store, ledger, nowMs, labelsOf: (agentId: string) => tags.get(agentId) ?? {} };
    const { startMs, endMs } = query.window;
    const unrated = await ledger.settle(startMs, endMs);
    const sets = await allocateWindow(query, (window, told) => readUsage(window, told, parts));
    const { isBackfilling, isRepricing } = ledger.progress();
    const gaps = await readGaps(store, startMs, endMs);
    return { sets, warning: warningOf(sets, gaps, { isUnfinished: unrated > 0 || isBackfilling, isRepricing }) };
  };
}
