import { type CsvError, parse } from "csv-parse/sync";
import { UsageError } from "#platform/errors.ts";
import { calendarTimeMs } from "#platform/parse-time.ts";
import { type Money, moneyOf } from "../money/money.ts";
import type { TimeWindow } from "../window/parse-window.ts";

export const billDimensions = ["region", "tenant", "model"] as const;
export type BillDimension = (typeof billDimensions)[number];

export interface BillTerms {
  readonly by: BillDimension;
  /** Column that names the lines; null: the usual one of the bill's form. */
  readonly column: string | null;
  /** Charges outside are left out, and counted. */
  readonly window: TimeWindow;
}

export interface ParsedBill {
  readonly form: "FOCUS" | "CUR";
  readonly lines: readonly { readonly name: string; readonly cost: Money }[];
  readonly charges: number;
  readonly chargesOutside: number;
}

/** Bounds of a bill; larger ones are to be cut by month or account. */
export const maxBillBytes = 64 * 1024 * 1024;
const maxCharges = 500_000;
const maxColumns = 1000;
const maxCharacters = 100_000;
/** Largest amount of one charge. */
const maxUsd = moneyOf(1e12);

interface Form {
  readonly form: ParsedBill["form"];
  readonly cost: readonly string[];
  readonly currency: readonly string[];
  readonly start: readonly string[];
  readonly names: Readonly<Record<BillDimension, readonly string[]>>;
}

/** Columns of the two forms; of those that mean the same the first that is there counts. */
const forms: readonly Form[] = [
  {
    form: "FOCUS",
    cost: ["BilledCost"],
    currency: ["BillingCurrency"],
    start: ["ChargePeriodStart"],
    names: {
      ...{ region: ["RegionId", "RegionName"], tenant: ["SubAccountId"], model: ["ResourceName"] },
    },
  },
  {
    form: "CUR",
    cost: ["lineItem/UnblendedCost", "line_item_unblended_cost"],
    currency: ["lineItem/CurrencyCode", "line_item_currency_code"],
    start: ["lineItem/UsageStartDate", "line_item_usage_start_date"],
    names: {
      region: ["product/region", "product_region", "product_region_code"],
      tenant: ["resourceTags/user:tenant", "resource_tags_user_tenant"],
      model: ["resourceTags/user:model", "resource_tags_user_model"],
    },
  },
];

const time = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z| UTC)?$/;
const decimal = /^-?\d{1,16}(?:\.\d{1,32})?(?:[eE][+-]?\d{1,2})?$/;

function timeOf(text: string): number | null {
  const match = time.exec(text);
  return match === null ? null : calendarTimeMs(...match.slice(1).map(Number));
}

function rowsOf(text: string, name: string): { readonly rows: string[][]; readonly names: string[] } {
  try {
    const all = parse(text, {
      ...{ bom: true, relaxColumnCount: false, skipEmptyLines: true, maxRecordSize: maxCharacters, to: maxCharges + 2 },
    }) as string[][];
    const [names = [], ...rows] = all;
    if (rows.length > maxCharges)
      throw new UsageError(`${name}: expected at most ${maxCharges} charges, got more: cut it by month or account`);
    if (names.length > maxColumns)
      throw new UsageError(`${name}: expected at most ${maxColumns} columns, got ${names.length}`);
    return { rows, names };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const { lines } = cause as CsvError & { lines?: number };
    throw new UsageError(`${name}, line ${lines ?? "?"}: ${(cause as Error).message}`, { cause });
  }
}

function formOf(names: readonly string[], name: string): Form {
  const found = forms.find(({ cost, start }) => [cost, start].every((of) => of.some((each) => names.includes(each))));
  if (found !== undefined) return found;
  const wanted = forms.map(({ form, cost, start }) => `${form} (${cost[0]}, ${start[0]})`);
  throw new UsageError(
    `${name}: expected a bill with the columns of ${wanted.join(" or ")}, got ${names.slice(0, 5).join(", ") || "none"}`,
  );
}

/**
 * Reads a provider's bill as CSV, in FOCUS's form or that of AWS' Cost and Usage Report, and adds up its charges by name.
 * @throws UsageError naming the file, the line, what was expected and what came.
 */
export function parseBill(text: string, name: string, { by, column, window }: BillTerms): ParsedBill {
  const { rows, names } = rowsOf(text, name);
  const { form, cost, currency, start, names: usual } = formOf(names, name);
  const indexOf = (columns: readonly string[]) =>
    columns.map((each) => names.indexOf(each)).find((at) => at >= 0) ?? -1;
  const [costAt, currencyAt, startAt] = [indexOf(cost), indexOf(currency), indexOf(start)];
  const nameAt = column === null ? indexOf(usual[by]) : names.indexOf(column);
  if (nameAt < 0)
    throw new UsageError(
      `${name}: expected a column ${column ?? usual[by].join(" or ")} to tell ${by}s apart, got none; --column names another`,
    );
  const sums = new Map<string, Money>();
  let outside = 0;
  for (const [index, row] of rows.entries()) {
    const fault = (expected: string, got: string | undefined) =>
      new UsageError(`${name}, charge ${index + 1}: expected ${expected}, got "${(got ?? "").slice(0, 40)}"`);
    const amount = row[costAt] ?? "";
    if (!decimal.test(amount)) throw fault(`a decimal number in ${names[costAt]}`, amount);
    const paid = moneyOf(amount);
    if (paid > maxUsd || paid < -maxUsd) throw fault(`an amount up to 1000000000000 in ${names[costAt]}`, amount);
    if (currencyAt >= 0 && row[currencyAt] !== "USD") throw fault(`USD in ${names[currencyAt]}`, row[currencyAt]);
    const atMs = timeOf(row[startAt] ?? "");
    if (atMs === null) throw fault(`a time such as 2026-11-01T00:00:00Z in ${names[startAt]}`, row[startAt]);
    if (atMs < window.startMs || atMs >= window.endMs) {
      outside += 1;
      continue;
    }
    const of = row[nameAt] ?? "";
    sums.set(of, (sums.get(of) ?? 0n) + paid);
  }
  const lines = [...sums].map(([line, sum]) => ({ name: line, cost: sum }));
  return { form, lines, charges: rows.length, chargesOutside: outside };
}
