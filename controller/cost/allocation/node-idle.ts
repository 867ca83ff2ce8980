import { divideToNearest, type Money, moneyOf, splitMoney, sumOf } from "../money/money.ts";
import { type AllocationItem, type AllocationNode, nodeCostFields } from "./allocation-input.ts";
import { type Costs, costsOf, noCosts } from "./costs.ts";

/** Idle of a cluster or node: what it costs less what was allocated. */
export interface IdleRow {
  readonly cluster: string;
  readonly node: string;
  readonly costs: Costs;
}

/** Node whose costs are known exactly, in the order of {@link nodeCostFields}, as billed. */
export interface CostedNode extends Pick<AllocationNode, "cluster" | "node"> {
  readonly costs: readonly Money[];
}

/** Costs of a node's cores, memory and GPUs as billed: discounted, and with the adjustment spread by cost. They add up to the bill. */
export function billedCosts(given: AllocationNode | CostedNode): readonly Money[] {
  if ("costs" in given) return given.costs;
  const { discount, adjustment, ...node } = given;
  const left = moneyOf(1) - moneyOf(discount);
  const discounted = nodeCostFields.map((field) =>
    field === "gpuCost" ? moneyOf(node[field]) : divideToNearest(moneyOf(node[field]) * left, moneyOf(1)),
  );
  return splitMoney(sumOf(discounted) + moneyOf(adjustment), discounted) ?? nodeCostFields.map(() => 0n);
}

/** Subtracts the rows' costs from the nodes', by cluster or by node; below 0 where more was allocated than there is. */
export function idleOfNodes(
  nodes: readonly (AllocationNode | CostedNode)[],
  items: readonly AllocationItem[],
  idleByNode: boolean,
): IdleRow[] {
  const rows = new Map<string, { cluster: string; node: string; costs: Record<string, Money> }>();
  const keyOf = ({ cluster, node }: { cluster: string; node: string }) => JSON.stringify([cluster, idleByNode && node]);
  for (const node of nodes) {
    const row = rows.get(keyOf(node)) ?? {
      ...{ cluster: node.cluster, node: idleByNode ? node.node : "", costs: { ...noCosts } },
    };
    rows.set(keyOf(node), row);
    const billed = billedCosts(node);
    for (const [index, field] of nodeCostFields.entries())
      row.costs[field] = (row.costs[field] ?? 0n) + (billed[index] as Money);
  }
  for (const item of items) {
    const row = rows.get(keyOf(item));
    const costs = costsOf(item);
    if (row !== undefined)
      for (const field of nodeCostFields) row.costs[field] = (row.costs[field] ?? 0n) - costs[field];
  }
  return [...rows.values()] as unknown as IdleRow[];
}

/** Name of a separate row of idle cost. */
export function idleName({ cluster, node }: Pick<IdleRow, "cluster" | "node">): string {
  return [...(cluster === "" ? [] : [cluster]), ...(node === "" ? [] : [node]), "__idle__"].join("/");
}
