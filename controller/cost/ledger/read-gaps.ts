import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { literals, strictObject } from "#platform/schema-parts.ts";
import type { CostStore } from "../../store/costs/cost-rows.ts";
import { columnValue } from "../../store/row-quarantine.ts";
import { sections } from "../prices/price-keys.ts";
import type { PriceGap } from "../prices/price-list.ts";

const Missing = Type.Array(strictObject({ section: literals(...sections), what: Type.String() }));

/** Lists what had no price in the catalogue in a window's hours, with the agent-minutes that the configured price was applied to. */
export async function readGaps(
  store: Pick<CostStore, "costGaps">,
  startMs: number,
  endMs: number,
): Promise<PriceGap[]> {
  const sums = new Map<string, PriceGap>();
  for (const { gaps, minutes } of await store.costGaps(Math.floor(startMs), Math.ceil(endMs))) {
    const missing = columnValue(gaps);
    if (!Value.Check(Missing, missing)) continue;
    for (const gap of missing) {
      const key = JSON.stringify(gap);
      sums.set(key, { ...gap, count: (sums.get(key)?.count ?? 0) + minutes });
    }
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}
