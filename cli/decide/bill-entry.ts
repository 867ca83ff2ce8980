import { BillInput, type BillPart } from "#controller/cost/bill/bill-input.ts";
import { decideBill, type PricesOfDay } from "#controller/cost/bill/decide-bill.ts";
import { explainBill, explainContradiction } from "#controller/cost/bill/explain-bill.ts";
import { type Money, moneyToNumber } from "#controller/cost/money/money.ts";
import { checkCatalogue } from "#controller/cost/prices/check-catalogue.ts";
import { createPriceList } from "#controller/cost/prices/price-list.ts";
import { parseTime } from "#platform/parse-time.ts";

export { BillInput };

const orNull = (amount: Money | null) => (amount === null ? null : moneyToNumber(amount));

/** Prices of the bill's day at noon in UTC; null without a catalogue. */
function pricesOf({ prices, day }: Pick<BillInput, "prices" | "day">): PricesOfDay {
  if (prices === undefined || day === undefined) return null;
  return { list: createPriceList(prices), timeMs: parseTime(`${day}T12:00:00Z`) ?? 0 };
}

function partFaults(part: BillPart, path: string, input: BillInput): string[] {
  const priced = (["price", "electricity", "instance", "charge"] as const).filter((field) => part[field] !== undefined);
  if (priced.length !== 1)
    return [`${path}: expected one of price, electricity, instance and charge, got ${priced.join(", ") || "none"}`];
  const [field = "price"] = priced;
  if (field === "price") return [];
  const prices = pricesOf(input);
  if (prices === null) return [`${path}.${field}: expected prices and day beside it, got no catalogue`];
  const { list, timeMs } = prices;
  const { electricity, instance, charge, quantity } = part;
  if (electricity !== undefined) list.energy(electricity.region, timeMs, quantity);
  if (instance !== undefined) list.instance(instance, timeMs, quantity);
  if (charge !== undefined) list.charge(charge, timeMs, quantity);
  return list
    .gaps()
    .map(
      ({ section, what }) => `${path}.${field}: expected a price on ${input.day} in ${section}, got none for ${what}`,
    );
}

/** Lists what the schema can't express. */
export function checkBillInput(input: BillInput): string[] {
  const { lines, claims, resources, prices, day } = input;
  const own = prices === undefined ? [] : checkCatalogue(prices).map((line) => `prices.${line}`);
  if (own.length > 0) return own;
  if (day !== undefined && parseTime(day) === null) return [`day: expected a day that exists, got "${day}"`];
  const names = lines.map(({ name }) => name);
  const partsAt = (parts: readonly BillPart[] = [], path = "") =>
    parts.flatMap((part, index) => partFaults(part, `${path}.parts.${index}`, input));
  return [
    ...lines.flatMap((line, index) => [
      ...(names.indexOf(line.name) < index
        ? [`lines.${index}.name: expected each line once, got "${line.name}" again`]
        : []),
      ...(["before", "after"] as const).flatMap((side) =>
        line[side].stated === undefined && line[side].parts === undefined
          ? [`lines.${index}.${side}: expected stated, parts or both, got neither`]
          : partsAt(line[side].parts, `lines.${index}.${side}`),
      ),
    ]),
    ...claims.flatMap(({ parts }, index) => partsAt(parts, `claims.${index}`)),
    ...resources.flatMap(({ line }, index) =>
      line === undefined || names.includes(line)
        ? []
        : [`resources.${index}.line: expected the name of a line, got "${line}"`],
    ),
  ];
}

/** Answers what a change of the bill saves, and which of its stated sums don't add up. */
export function answerBill(input: BillInput) {
  const bill = decideBill(input, pricesOf(input));
  const { before, after, saved, savedPercent, perMillion } = bill;
  return {
    lines: bill.lines.map((line) => ({
      name: line.name,
      before: moneyToNumber(line.before),
      after: moneyToNumber(line.after),
      saved: moneyToNumber(line.before - line.after),
    })),
    ...{ before: moneyToNumber(before), after: moneyToNumber(after), saved: moneyToNumber(saved) },
    savedPercent: orNull(savedPercent),
    perMillion:
      perMillion === null ? null : { before: moneyToNumber(perMillion.before), after: moneyToNumber(perMillion.after) },
    resources: bill.resources.map(({ wasted, ...resource }) => ({ ...resource, wasted: orNull(wasted) })),
    contradictions: bill.contradictions.map((each) => ({
      ...{ what: each.what, stated: each.stated, computed: moneyToNumber(each.computed) },
      reason: explainContradiction(each),
    })),
    reason: explainBill(bill),
  };
}
