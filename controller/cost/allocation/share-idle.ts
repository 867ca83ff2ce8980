import { type Money, splitMoney } from "../money/money.ts";
import { type AllocationItem, nodeCostFields } from "./allocation-input.ts";
import { type Costs, costsOf, noCosts, plus } from "./costs.ts";
import type { IdleRow } from "./node-idle.ts";

export interface IdleShares {
  /** Idle of each row of work, in their order: what it would receive, or does. */
  readonly ofItems: readonly Costs[];
  /** Idle that nobody in its pool can receive, as nobody used that resource. */
  readonly left: readonly IdleRow[];
}

/** Name of the pool whose users an idle row belongs to. */
export function poolOf({ cluster, node }: { cluster: string; node: string }, idleByNode: boolean): string {
  return JSON.stringify(idleByNode ? [cluster, node] : [cluster]);
}

/**
 * Splits the idle of each pool (cluster, or node) between those who use it, resource by resource: by their cost, or evenly. The shares and
 * what is left add up to the idle exactly.
 */
export function shareIdle(
  items: readonly AllocationItem[],
  idle: readonly IdleRow[],
  { idleByNode, evenly }: { readonly idleByNode: boolean; readonly evenly: boolean },
): IdleShares {
  const members = Map.groupBy(items.keys(), (index) => poolOf(items[index] as AllocationItem, idleByNode));
  const costs = items.map(costsOf);
  const ofItems: Costs[] = items.map(() => noCosts);
  const left: IdleRow[] = [];
  for (const row of idle) {
    const users = members.get(poolOf(row, idleByNode)) ?? [];
    let rest = row.costs;
    for (const field of nodeCostFields) {
      const weights = users.map((index) => (evenly ? 1n : ((costs[index] as Costs)[field] as Money)));
      const parts = splitMoney(row.costs[field], weights);
      if (parts === null) continue;
      rest = { ...rest, [field]: 0n };
      for (const [at, index] of users.entries())
        ofItems[index] = plus(ofItems[index] as Costs, { [field]: parts[at] as Money });
    }
    left.push({ ...row, costs: rest });
  }
  return { ofItems, left };
}
