import { type Money, moneyOf, sumOf } from "../money/money.ts";

export interface NamedCost {
  readonly name: string;
  readonly cost: Money;
}

export interface ReconciliationInput {
  readonly billed: readonly NamedCost[];
  readonly own: readonly NamedCost[];
  /** Names of the bill that mean own ones. */
  readonly names: ReadonlyMap<string, string>;
  /** Difference of a line that is of no account, US$. */
  readonly toleranceUsd: number;
}

export interface ReconciledLine {
  readonly name: string;
  readonly billed: Money;
  readonly own: Money;
  readonly difference: Money;
  readonly verdict: "agrees" | "differs" | "only-billed" | "only-own";
}

export interface Reconciliation {
  /** Lines, the largest difference first; their differences add up to `difference`. */
  readonly lines: readonly ReconciledLine[];
  readonly billed: Money;
  readonly own: Money;
  readonly difference: Money;
  /** Difference by what it is: lines that only one side has, lines that differ, and small differences of lines that agree. */
  readonly rest: {
    readonly onlyBilled: Money;
    readonly onlyOwn: Money;
    readonly differing: Money;
    readonly tolerated: Money;
  };
}

const absolute = (amount: Money) => (amount < 0n ? -amount : amount);

function added(costs: readonly NamedCost[], nameOf: (name: string) => string): Map<string, Money> {
  const sums = new Map<string, Money>();
  for (const { name, cost } of costs) sums.set(nameOf(name), (sums.get(nameOf(name)) ?? 0n) + cost);
  return sums;
}

/** Decides line by line whether a provider's bill is what was computed, and what of the difference is explained by which lines. */
export function decideReconciliation({ billed, own, names, toleranceUsd }: ReconciliationInput): Reconciliation {
  const theirs = added(billed, (name) => names.get(name) ?? name);
  const ours = added(own, (name) => name);
  const tolerance = moneyOf(toleranceUsd);
  const lines = [...new Set([...theirs.keys(), ...ours.keys()])].map((name): ReconciledLine => {
    const [paid, computed] = [theirs.get(name), ours.get(name)];
    const difference = (paid ?? 0n) - (computed ?? 0n);
    const agrees = absolute(difference) <= tolerance;
    const verdict = agrees
      ? "agrees"
      : computed === undefined
        ? "only-billed"
        : paid === undefined
          ? "only-own"
          : "differs";
    return { name, billed: paid ?? 0n, own: computed ?? 0n, difference, verdict };
  });
  const of = (verdict: ReconciledLine["verdict"]) =>
    sumOf(lines.filter((line) => line.verdict === verdict).map(({ difference }) => difference));
  return {
    lines: lines.sort((a, b) => {
      const by = absolute(b.difference) - absolute(a.difference);
      return by === 0n ? a.name.localeCompare(b.name) : by > 0n ? 1 : -1;
    }),
    billed: sumOf(theirs.values()),
    own: sumOf(ours.values()),
    difference: sumOf(lines.map(({ difference }) => difference)),
    rest: { onlyBilled: of("only-billed"), onlyOwn: of("only-own"), differing: of("differs"), tolerated: of("agrees") },
  };
}
