import { askController } from "#cli/run/ask-controller.ts";
import { monthOf } from "#controller/cost/history/sum-costs.ts";
import { moneyOf, moneyToNumber, moneyToText } from "#controller/cost/money/money.ts";
import {
  decideReconciliation,
  type NamedCost,
  type Reconciliation,
} from "#controller/cost/reconcile/decide-reconciliation.ts";
import { explainReconciliation } from "#controller/cost/reconcile/explain-reconciliation.ts";
import { type BillDimension, billDimensions, maxBillBytes, parseBill } from "#controller/cost/reconcile/parse-bill.ts";
import { figure, text, writeCsv } from "#controller/cost/reports/write-csv.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { readRegularFile } from "#platform/files/read-regular-file.ts";
import { type OptionValues, optionalChoice, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";
import type { CostAnswer } from "./cost-to-text.ts";

const monthPattern = /^\d{4}-(0[1-9]|1[0-2])$/;

async function billText(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readRegularFile(path, maxBillBytes));
  } catch (cause) {
    throw new UsageError(`${path} can't be read as a bill`, { cause });
  }
}

/** Reads names such as `us-east-1=hall-1,eu=hall-2`. */
function namesOf(given: string | undefined): Map<string, string> {
  return new Map(
    (given ?? "").split(",").flatMap((pair): [string, string][] => {
      if (pair === "") return [];
      const [theirs, ours, ...more] = pair.split("=");
      if (theirs === undefined || ours === undefined || more.length > 0)
        throw new UsageError(`--map: expected names such as us-east-1=hall-1, got "${pair}"`);
      return [[theirs, ours]];
    }),
  );
}

/** Own costs of a month by a dimension, as the controller allocates them; idle time stands with its region, else apart. */
async function ownCosts(values: OptionValues, month: string, by: BillDimension): Promise<NamedCost[]> {
  // Bills are of months in UTC.
  const window = monthOf(month, "UTC");
  const pair = `${Math.floor(window.startMs / 1000)},${Math.floor(window.endMs / 1000)}`;
  const query = new URLSearchParams({
    window: pair,
    aggregate: by,
    includeIdle: "true",
    splitIdle: String(by === "region"),
  });
  const answer = (await askController(values, `/allocation/summary?${query}`)) as CostAnswer;
  return Object.values(answer.data[0] ?? {}).map(({ name, totalCost }) => ({
    name: by === "region" ? name.replace(/\/?__idle__$/, "") : name.replace("__idle__", "idle"),
    cost: moneyOf(totalCost),
  }));
}

/** Shows a reconciliation as a table. */
function reconciliationToText(found: Reconciliation): string {
  const rows = found.lines.map(({ name, billed, own, difference, verdict }) => [
    ...[cleanText(name) || "(none)", moneyToText(billed, 2), moneyToText(own, 2), moneyToText(difference, 2), verdict],
  ]);
  return [
    formatTable(["OF", "BILLED", "COMPUTED", "APART", ""], rows),
    "",
    wrapText(explainReconciliation(found)),
  ].join("\n");
}

function reconciliationCsv({ lines }: Reconciliation): string {
  const rows = lines.map(({ name, billed, own, difference, verdict }) => [
    ...[
      text(name),
      figure(moneyToText(billed)),
      figure(moneyToText(own)),
      figure(moneyToText(difference)),
      text(verdict),
    ],
  ]);
  return writeCsv(["name", "billedUsd", "computedUsd", "differenceUsd", "verdict"], rows);
}

/** Compares a provider's bill with the controller's figures. Exit code 1: they differ. */
export async function reconcile(values: OptionValues, [path, ...more]: readonly string[]): Promise<number> {
  if (path === undefined || more.length > 0) throw new UsageError("cost reconcile: expected the file of one bill");
  const month = optionalString(values, "month");
  if (month === undefined || !monthPattern.test(month))
    throw new UsageError(`--month: expected the bill's month, such as 2026-11, got "${month ?? ""}"`);
  const by = optionalChoice(values, "by", billDimensions) ?? "region";
  const window = monthOf(month, "UTC");
  const bill = parseBill(await billText(path), path, { by, column: optionalString(values, "column") ?? null, window });
  const found = decideReconciliation({
    ...{ billed: bill.lines, own: await ownCosts(values, month, by), names: namesOf(optionalString(values, "map")) },
    toleranceUsd: optionalNumber(values, "tolerance", { min: 0, max: 1e9 }) ?? 0.01,
  });
  const format = optionalChoice(values, "format", ["text", "json", "csv"]) ?? "text";
  if (format === "csv") process.stdout.write(reconciliationCsv(found));
  else if (format === "json")
    console.log(JSON.stringify(found, (_key, value) => (typeof value === "bigint" ? moneyToNumber(value) : value), 2));
  else {
    console.log(reconciliationToText(found));
    if (bill.chargesOutside > 0)
      console.log(`${bill.chargesOutside} of ${bill.charges} charges belong to other months`);
  }
  return found.lines.every(({ verdict }) => verdict === "agrees") ? 0 : 1;
}
