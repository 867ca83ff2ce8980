import { type Money, moneyOf, moneyToNumber, moneyToText, sumOf } from "#controller/cost/money/money.ts";
import { formatTable } from "#platform/terminal/format-table.ts";

/** Row of a summary of the controller's /allocation. */
export interface CostRow {
  readonly name: string;
  readonly start: string;
  readonly end: string;
  readonly totalCost: number;
}

/** Answer of /allocation/summary, of which the first set is shown. */
export interface CostAnswer {
  readonly data: readonly Readonly<Record<string, CostRow>>[];
  readonly warning?: string;
}

/** Characters of a name and of the longest bar that fit on a line of 80. */
const maxName = 30;
const maxBar = 24;
/** Maximum rows that are shown; the rest is one row. */
const maxRows = 20;

const shortened = (name: string) => (name.length > maxName ? `${name.slice(0, maxName - 1)}…` : name);

function nameOf(name: string): string {
  if (name.endsWith("__idle__")) return name.replace("__idle__", "idle");
  return name === "" ? "all" : name.replaceAll("__unallocated__", "(none)").replaceAll(/(^|\/)(?=\/|$)/g, "$1(none)");
}

/** Decimal places that tell amounts of this size apart: cents from a dollar on. */
const placesOf = (total: Money) => (total >= moneyOf(1) ? 2 : total >= moneyOf(0.01) ? 4 : 6);

/** Bar in eighths of a character; what costs anything has at least one. */
function barOf(share: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * maxBar * 8));
  return "█".repeat(Math.floor(eighths / 8)) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
}

/** Shows who pays what as bars on lines of 80 characters, the most expensive first. */
export function costToText({ data, warning }: CostAnswer): string {
  const rows = Object.values(data[0] ?? {}).sort((a, b) => b.totalCost - a.totalCost);
  const [first] = rows;
  if (first === undefined) return "no minute is on record in this window";
  const costOf = (of: readonly CostRow[]) => sumOf(of.map(({ totalCost }) => moneyOf(totalCost)));
  const total = costOf(rows);
  const rest = rows.slice(maxRows);
  const shown = [
    ...rows.slice(0, maxRows).map((row) => ({ name: shortened(nameOf(row.name)), cost: costOf([row]) })),
    ...(rest.length === 0 ? [] : [{ name: `${rest.length} others`, cost: costOf(rest) }]),
  ];
  const costs = [...shown.map(({ cost }) => cost), total].map((cost) => moneyToText(cost, placesOf(total)));
  const width = Math.max(...costs.map((each) => each.length), "US$".length);
  const shareOf = (cost: Money, of: Money) => (of > 0n ? moneyToNumber(cost) / moneyToNumber(of) : 0);
  const dearest = moneyOf(Math.max(...shown.map(({ cost }) => moneyToNumber(cost))));
  const cells = shown.map(({ name, cost }, index) => [
    name,
    (costs[index] as string).padStart(width),
    `${(100 * shareOf(cost, total)).toFixed(1)} %`.padStart(7),
    barOf(shareOf(cost, dearest)),
  ]);
  return [
    `${first.start} to ${first.end}`,
    "",
    formatTable(
      ["OF", "US$".padStart(width), "  SHARE", ""],
      [...cells, ["total", (costs.at(-1) as string).padStart(width), "", ""]],
    ),
    ...(warning === undefined ? [] : ["", warning]),
  ].join("\n");
}
