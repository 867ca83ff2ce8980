import { divideToNearest, type Money, moneyOf, moneyToText, productOf, sumOf } from "../money/money.ts";
import type { PriceList } from "../prices/price-list.ts";
import type { BillInput, BillPart, statedFields } from "./bill-input.ts";

export interface BillLine {
  readonly name: string;
  readonly before: Money;
  readonly after: Money;
}

/** Amount that is stated otherwise than its parts add up to. */
export interface Contradiction {
  readonly what: string;
  readonly stated: number;
  readonly computed: Money;
}

export interface ResourceUse {
  readonly name: string;
  /** Used ÷ requested; null where nothing is requested. */
  readonly utilization: number | null;
  /** Part of the named line that pays for unused resources; null if no line is named, or nothing is requested. */
  readonly wasted: Money | null;
}

export interface Bill {
  readonly lines: readonly BillLine[];
  readonly before: Money;
  readonly after: Money;
  readonly saved: Money;
  readonly savedPercent: Money | null;
  readonly perMillion: { readonly before: Money; readonly after: Money } | null;
  readonly resources: readonly ResourceUse[];
  readonly contradictions: readonly Contradiction[];
}

/** Prices at the day of the bill; null without a catalogue. */
export type PricesOfDay = { readonly list: PriceList; readonly timeMs: number } | null;

/** Cost of a part; null where it has no price. */
function costOf({ quantity, price, electricity, instance, charge }: BillPart, prices: PricesOfDay): Money | null {
  if (price !== undefined) return productOf(quantity, price);
  if (prices === null) return null;
  const { list, timeMs } = prices;
  if (electricity !== undefined) return list.energy(electricity.region, timeMs, quantity);
  if (instance !== undefined) return list.instance(instance, timeMs, quantity);
  return charge === undefined ? null : list.charge(charge, timeMs, quantity);
}

/** True when an amount, rounded to the places in which it is stated, is the stated one. */
function agrees(stated: number, computed: Money): boolean {
  const places = moneyToText(moneyOf(stated)).split(".")[1]?.length ?? 0;
  return moneyToText(computed, places) === moneyToText(moneyOf(stated), places);
}

/** Quotient of two amounts, as an amount; null when there is nothing to divide by. */
const ratioOf = (a: Money, b: Money): Money | null => (b === 0n ? null : divideToNearest(a * moneyOf(1), b));

/**
 * Adds up a bill before and after a change, exactly, and finds the stated amounts that don't follow from what they are made of. A line without
 * parts is what is stated of it. A part without a price counts nothing: checks refuse it.
 */
export function decideBill({ lines, stated, claims, resources, requests }: BillInput, prices: PricesOfDay): Bill {
  const contradictions: Contradiction[] = [];
  const compare = (what: string, value: number | undefined, computed: Money | null) => {
    if (value !== undefined && computed !== null && !agrees(value, computed))
      contradictions.push({ what, stated: value, computed });
  };
  const sideOf = (what: string, { stated: value, parts }: BillInput["lines"][number]["before"]): Money => {
    if (parts === undefined) return moneyOf(value ?? 0);
    const computed = sumOf(parts.map((part) => costOf(part, prices) ?? 0n));
    compare(what, value, computed);
    return computed;
  };
  const computedLines = lines.map(({ name, before, after }) => ({
    name,
    before: sideOf(`${name}, before`, before),
    after: sideOf(`${name}, after`, after),
  }));
  const [before, after] = [
    sumOf(computedLines.map((line) => line.before)),
    sumOf(computedLines.map((line) => line.after)),
  ];
  const saved = before - after;
  const savedPercent = ratioOf(saved * 100n, before);
  const millions = requests === undefined || requests === 0 ? null : moneyOf(requests) / 1_000_000n;
  const perMillion =
    millions === null || millions === 0n
      ? null
      : { before: ratioOf(before, millions) as Money, after: ratioOf(after, millions) as Money };
  const sums: Readonly<Record<keyof typeof statedFields, Money | null>> = {
    ...{ before, after, saved, savedPercent },
    ...{ perMillionBefore: perMillion?.before ?? null, perMillionAfter: perMillion?.after ?? null },
  };
  for (const [field, computed] of Object.entries(sums)) compare(field, stated[field as keyof typeof sums], computed);
  for (const claim of claims)
    compare(claim.name, claim.stated, sumOf(claim.parts.map((part) => costOf(part, prices) ?? 0n)));
  return {
    ...{ lines: computedLines, before, after, saved, savedPercent, perMillion, contradictions },
    resources: resources.map((resource) => useOf(resource, computedLines)),
  };
}

function useOf(
  { name, requested, used, line }: BillInput["resources"][number],
  lines: readonly BillLine[],
): ResourceUse {
  if (requested === 0) return { name, utilization: null, wasted: null };
  const paid = lines.find((each) => each.name === line)?.before;
  const unused = moneyOf(Math.max(0, requested - used));
  const wasted = paid === undefined ? null : divideToNearest(paid * unused, moneyOf(requested));
  return { name, utilization: used / requested, wasted };
}
