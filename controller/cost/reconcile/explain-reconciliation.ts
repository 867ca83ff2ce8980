import { type Money, moneyToText } from "../money/money.ts";
import type { Reconciliation } from "./decide-reconciliation.ts";

const usd = (amount: Money) => `${moneyToText(amount, 2)} $`;

/** Explains how far a bill is from what was computed, and by what. */
export function explainReconciliation({ billed, own, difference, rest, lines }: Reconciliation): string {
  const count = (verdict: string) => lines.filter((line) => line.verdict === verdict).length;
  const parts = [
    ["only-billed", rest.onlyBilled, "that only the bill has"],
    ["only-own", rest.onlyOwn, "that only thormesh has"],
    ["differs", rest.differing, "that differ"],
  ] as const;
  const named = parts
    .filter(([verdict]) => count(verdict) > 0)
    .map(([verdict, amount, what]) => `${usd(amount)} in ${count(verdict)} lines ${what}`);
  const whole = `billed ${usd(billed)}, computed ${usd(own)}: ${usd(difference)} apart`;
  return named.length === 0 ? `${whole}; every line agrees` : `${whole}; ${named.join(", ")}`;
}
