import { divideToNearest, type Money, productOf, splitMoney, sumOf } from "../money/money.ts";
import { hoursOfMonth } from "../prices/price-list.ts";
import type { AllocationInput, AllocationItem, AllocationOptions } from "./allocation-input.ts";
import { type Costed, type Costs, costsOf, noCosts, plus, totalOf } from "./costs.ts";
import { groupKey, matches } from "./group-key.ts";
import { type CostedNode, type IdleRow, idleName, idleOfNodes } from "./node-idle.ts";
import { poolOf, shareIdle } from "./share-idle.ts";

export const idleRowName = "__idle__";
/** Row of shared costs that no group can receive. */
const sharedRowName = "__shared__";

/** Input whose rows and nodes may have exact costs. */
export interface ExactAllocationInput extends Omit<AllocationInput, "items" | "nodes"> {
  readonly items: readonly (AllocationItem & Costed)[];
  readonly nodes?: readonly (AllocationInput["nodes"] & object)[number][] | readonly CostedNode[];
}

export type ItemKind = "work" | "idle" | "unmounted" | "external";

export interface AllocationRow {
  readonly name: string;
  readonly costs: Costs;
  readonly total: Money;
  /** Rows of work in the group; none of idle and of shared costs. */
  readonly items: readonly AllocationItem[];
}

export interface Allocation {
  readonly rows: readonly AllocationRow[];
  readonly total: Money;
  /** All that is to be allocated: work, idle, and fixed costs. */
  readonly assets: Money;
  /** Part of the assets that the filter left out. The total and this add up to the assets. */
  readonly filteredOut: Money;
  /** Shared rows with their idle, and fixed costs. */
  readonly shared: Money;
  /** Idle of nodes, by name, where nodes were given. */
  readonly idle: readonly IdleRow[] | null;
  /** Clusters (or nodes) with work and without a node's price: their idle is unknown. */
  readonly withoutNode: readonly string[];
}

export function kindOf({ name, idle }: Pick<AllocationItem, "name" | "idle">): ItemKind {
  if (idle || name.includes("__idle__")) return "idle";
  if (name.includes("__external__")) return "external";
  return name.includes("__unmounted__") ? "unmounted" : "work";
}

/** Cost by which a group receives shared costs: that of its work, before idle. */
const weightOf = (item: AllocationItem) => totalOf(costsOf(item)) - costsOf(item).sharedCost;

/** Splits the pot between the groups; the rows that are filtered out are one group more, with the name null. */
function splitPot(
  pot: Costs,
  weights: ReadonlyMap<string | null, Money>,
  shareSplit: AllocationOptions["shareSplit"],
): Map<string | null, Money> | null {
  const names = [...weights.keys()];
  const total = totalOf(pot);
  const parts =
    (shareSplit === "weighted" ? splitMoney(total, [...weights.values()]) : null) ??
    splitMoney(
      total,
      names.map(() => 1n),
    );
  return parts === null ? null : new Map(names.map((name, index) => [name, parts[index] as Money]));
}

/** Idle that is shown: all of it, or with a filter the part that what is shown would receive. */
function shownIdle(
  idle: readonly IdleRow[],
  items: readonly AllocationItem[],
  { options, partOf }: { options: AllocationOptions; partOf: (item: AllocationItem, costs: Costs) => Costs },
): IdleRow[] {
  if (options.filter === null) return [...idle];
  const { idleByNode } = options;
  const pools = Map.groupBy(items, (item) => poolOf(item, idleByNode));
  return idle.map((row) => {
    const users = pools.get(poolOf(row, idleByNode)) ?? [];
    const { ofItems, left } = shareIdle(users, [row], { idleByNode, evenly: false });
    const isShown = matches({ ...emptyPlace, ...row }, options.filter);
    const own = isShown ? (left[0]?.costs ?? noCosts) : noCosts;
    const costs = users.reduce((sum, item, index) => plus(sum, partOf(item, ofItems[index] as Costs)), own);
    return { ...row, costs };
  });
}

const emptyPlace = {
  ...{ cluster: "", node: "", namespace: "", pod: "", container: "", controllerKind: "", controller: "" },
  ...{ services: [], labels: {}, annotations: {} },
};

/** Scales costs to a part of their total; exact for each cost by itself. */
function partOfCosts(costs: Costs, numerator: Money, denominator: Money): Costs {
  if (denominator === 0n) return noCosts;
  const part = Object.entries(costs).map(([field, amount]) => [
    field,
    splitMoney(amount, [numerator, denominator - numerator])?.[0] ?? 0n,
  ]);
  return Object.fromEntries(part) as Costs;
}

/**
 * Allocates what nodes and services cost to those who used them, by OpenCost's rules: idle beside it, or shared by use; shared rows and fixed
 * costs split between the groups; filtered last. Amounts are exact: what is shown and what the filter left out add up to all that was paid.
 */
export function decideAllocation({ items, nodes, options, aggregateBy, window }: ExactAllocationInput): Allocation {
  const { filter, share, shareAny, mergeUnallocated, idleByNode } = options;
  const of = (...kinds: ItemKind[]) => items.filter((item) => kinds.includes(kindOf(item)));
  const work = of("work", "unmounted");
  const given = of("idle").map((item) => ({ cluster: item.cluster, node: item.node, costs: costsOf(item) }));
  const computed = nodes === undefined ? null : idleOfNodes(nodes, work, idleByNode);
  const idle = computed ?? given;
  const isSharedRow = (item: AllocationItem) =>
    (share !== null && matches(item, share)) || shareAny.some((each) => matches(item, each));
  const isKept = (item: AllocationItem) => matches(item, filter);
  const keyOf = (item: AllocationItem) => groupKey(item, aggregateBy, mergeUnallocated);

  const weights = new Map<string | null, Money>();
  for (const item of work) {
    if (isSharedRow(item) || kindOf(item) === "unmounted") continue;
    const name = isKept(item) ? keyOf(item) : null;
    weights.set(name, (weights.get(name) ?? 0n) + weightOf(item));
  }

  const groups = new Map<string, { costs: Costs; items: AllocationItem[] }>();
  const addTo = (name: string, costs: Partial<Costs>, item?: AllocationItem) => {
    const group = groups.get(name) ?? { costs: noCosts, items: [] };
    group.costs = plus(group.costs, costs);
    if (item !== undefined) group.items.push(item);
    groups.set(name, group);
  };
  const overhead = overheadOf(options, hoursOf(window));
  let pot: Costs = { ...noCosts, sharedCost: overhead };
  const isIdleShared = options.shareIdle !== "none";
  const shares = isIdleShared ? shareIdle(work, idle, { idleByNode, evenly: options.shareIdle === "even" }) : null;
  for (const [index, item] of work.entries()) {
    const costs = plus(costsOf(item), shares?.ofItems[index] ?? noCosts);
    if (isSharedRow(item)) pot = plus(pot, costs);
    else if (isKept(item)) addTo(keyOf(item), costs, item);
  }
  const potParts = splitPot(pot, weights, options.shareSplit);
  for (const [name, sharedCost] of potParts ?? []) if (name !== null) addTo(name, { sharedCost });
  if (potParts === null && totalOf(pot) !== 0n) addTo(sharedRowName, { sharedCost: totalOf(pot) });
  for (const item of of("external")) if (isKept(item)) addTo(keyOf(item), costsOf(item));

  const keptPart = totalOf(pot) === 0n ? 0n : totalOf(pot) - (potParts?.get(null) ?? 0n);
  const partOf = (item: AllocationItem, costs: Costs) =>
    isSharedRow(item) ? partOfCosts(costs, keptPart, totalOf(pot)) : isKept(item) ? costs : noCosts;
  const beside =
    shares !== null
      ? shares.left.filter((row) => totalOf(row.costs) !== 0n && matches({ ...emptyPlace, ...row }, filter))
      : shownIdle(idle, work, { options, partOf });
  for (const row of beside) addTo(options.splitIdle ? idleName(row) : idleRowName, row.costs);

  const rows = [...groups].map(([name, group]) => ({ name, ...group, total: totalOf(group.costs) }));
  const all = [...work, ...of("external")].map((item) => totalOf(costsOf(item)));
  const assets = sumOf(all) + sumOf(idle.map((row) => totalOf(row.costs))) + overhead;
  const total = sumOf(rows.map((row) => row.total));
  return {
    ...{ rows, total, assets, filteredOut: assets - total, shared: totalOf(pot), idle: computed },
    withoutNode: nodes === undefined ? [] : poolsWithoutNode(work, computed ?? [], idleByNode),
  };
}

/** Fixed costs of a number of hours. */
export function overheadOf(
  options: Pick<AllocationOptions, "sharedHourlyCosts" | "sharedMonthlyCosts">,
  hours: number,
): Money {
  const hourly = Object.values(options.sharedHourlyCosts).map((each) => productOf(each, hours));
  const monthly = Object.values(options.sharedMonthlyCosts).map((each) =>
    divideToNearest(productOf(each, hours), BigInt(hoursOfMonth)),
  );
  return sumOf([...hourly, ...monthly]);
}

function hoursOf({ hours, minutes }: AllocationInput["window"]): number {
  return minutes === undefined ? hours : minutes / 60;
}

/** Clusters, or nodes, with work and without a node's price. */
function poolsWithoutNode(work: readonly AllocationItem[], idle: readonly IdleRow[], idleByNode: boolean): string[] {
  const known = new Set(idle.map((row) => poolOf(row, idleByNode)));
  const lacking = work.filter((item) => !known.has(poolOf(item, idleByNode)));
  return [...new Set(lacking.map(({ cluster, node }) => (idleByNode ? `${cluster}/${node}` : cluster)))].sort();
}
