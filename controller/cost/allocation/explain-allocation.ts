import { type Money, moneyToText } from "../money/money.ts";
import type { AllocationOptions } from "./allocation-input.ts";
import type { Allocation } from "./decide-allocation.ts";

const cents = (amount: Money) => moneyToText(amount, 2);

/** Explains what an allocation's rows add up to. */
export function explainAllocation(
  { rows, assets, total, filteredOut, shared, withoutNode }: Allocation,
  { shareIdle, shareSplit }: Pick<AllocationOptions, "shareIdle" | "shareSplit">,
): string {
  const parts = [`${rows.length} row${rows.length === 1 ? "" : "s"} of ${cents(total)}, of ${cents(assets)} in all`];
  if (shareIdle !== "none") parts.push(`idle shared ${shareIdle === "even" ? "evenly" : "by cost"} among its users`);
  if (shared !== 0n) parts.push(`${cents(shared)} shared ${shareSplit === "even" ? "evenly" : "by cost"}`);
  if (filteredOut !== 0n) parts.push(`${cents(filteredOut)} left out by the filter`);
  if (withoutNode.length > 0) parts.push(`no node's price for ${withoutNode.join(", ")}: their idle is not known`);
  return parts.join("; ");
}
