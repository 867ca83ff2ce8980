import { type Money, moneyOf, sumOf } from "../money/money.ts";
import { type AllocationItem, costFields } from "./allocation-input.ts";

/** Amounts of a row, by resource. */
export type Costs = Readonly<Record<(typeof costFields)[number], Money>>;
export type CostField = (typeof costFields)[number];

export const noCosts: Costs = Object.fromEntries(costFields.map((field) => [field, 0n])) as unknown as Costs;

/** Row whose costs are known exactly; they count instead of its numbers. */
export interface Costed {
  readonly costs?: Costs;
}

/** Costs of a row as it was given. */
export function costsOf(item: Pick<AllocationItem, CostField> & Costed): Costs {
  return (
    item.costs ?? (Object.fromEntries(costFields.map((field) => [field, moneyOf(item[field])])) as unknown as Costs)
  );
}

export function plus(a: Costs, b: Partial<Costs>): Costs {
  return Object.fromEntries(costFields.map((field) => [field, a[field] + (b[field] ?? 0n)])) as unknown as Costs;
}

export const totalOf = (costs: Costs): Money => sumOf(costFields.map((field) => costs[field]));
