import { moneyToText } from "../money/money.ts";
import type { Bill, Contradiction } from "./decide-bill.ts";

/** Explains how a stated amount differs from what its parts add up to. */
export function explainContradiction({ what, stated, computed }: Contradiction): string {
  return `${what}: stated ${stated}, but it adds up to ${moneyToText(computed, 2)}`;
}

/** Explains what a change saves. */
export function explainBill({ before, after, saved, savedPercent, contradictions }: Bill): string {
  const share = savedPercent === null ? "" : ` (${moneyToText(savedPercent, 1)} %)`;
  const doubts =
    contradictions.length === 0 ? "all stated sums add up" : `${contradictions.length} stated sums don't add up`;
  const change = saved < 0n ? `${moneyToText(-saved, 2)} more` : `${moneyToText(saved, 2)} less`;
  return `${moneyToText(before, 2)} before, ${moneyToText(after, 2)} after: ${change}${share}; ${doubts}`;
}
