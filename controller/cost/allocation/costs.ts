import { type Money, moneyOf } from "../money/money.ts";
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
  const sum = { ...a } as Record<CostField, Money>;
  for (const field of costFields) {
    const more = b[field];
    if (more !== undefined && more !== 0n) sum[field] += more;
  }
  return sum;
}

export function totalOf(costs: Costs): Money {
  let sum = 0n;
  for (const field of costFields) sum += costs[field];
  return sum;
}
