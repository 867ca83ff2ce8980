import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { type FaultRow, type RouteReport, type RouteRow, routeReport } from "#tools/reports/routes/route-report.ts";

/** Options of `thormesh backtest --routes`. */
export const routeOptions = {
  routes: { help: "compare routing rules in a simulated fleet instead; needs no trace" },
  requests: { value: "N", help: "with --routes: requests in each run (default: 150000)" },
  routers: { value: "N[,N…]", help: "with --routes: number of routing agents (default: 1,50,200)" },
} as const;

/** Fewer end before the load is up and the fleet has got over a fault. */
const minRequests = 50_000;
const maxRouters = 1_000;
/** Options that go with `--routes`. */
const allowed: ReadonlySet<string> = new Set([...Object.keys(routeOptions), "json"]);

const percent = (share: number, digits = 2) => `${(100 * share).toFixed(digits)} %`;

const columns: readonly (readonly [string, (row: RouteRow) => string])[] = [
  ["scene", ({ scene }) => scene],
  ["rule", ({ policy }) => policy],
  ["routers", ({ routers }) => String(routers)],
  ["US$/1M", ({ usdPerThousand }) => (1000 * usdPerThousand).toFixed(3)],
  ["late or failed", ({ missedShare }) => percent(missedShare)],
  ["failed", ({ failed }) => String(failed)],
  ["p50 ms", ({ p50Ms }) => p50Ms.toFixed(1)],
  ["p95 ms", ({ p95Ms }) => p95Ms.toFixed(1)],
  ["p99 ms", ({ p99Ms }) => p99Ms.toFixed(1)],
  ["p95 × one queue", ({ p95ByOneQueue }) => p95ByOneQueue.toFixed(2)],
  ["asked again", ({ extraAttempts }) => percent(extraAttempts, 1)],
  ["extra work", ({ extraWork }) => percent(extraWork, 1)],
  ["used", ({ utilization }) => percent(utilization, 0)],
  ["max/mean", ({ fairness }) => fairness.toFixed(2)],
  [
    "shares",
    ({ shares }) =>
      Object.entries(shares)
        .map(([kind, share]) => `${kind} ${Math.round(100 * share)}`)
        .join(", "),
  ],
];

const faultColumns: readonly (readonly [string, (row: FaultRow) => string])[] = [
  ["fault", ({ fault }) => fault],
  ["routers", ({ routers }) => String(routers)],
  ["failed", ({ failed }) => String(failed)],
  ["p99 ms after 5 s", ({ p99Ms }) => p99Ms.toFixed(1)],
  ["× unharmed", ({ p99ByUnharmed }) => p99ByUnharmed.toFixed(2)],
  ["extra work", ({ extraWork }) => percent(extraWork, 1)],
];

const tableOf = <Row>(columns: readonly (readonly [string, (row: Row) => string])[], rows: readonly Row[]) =>
  formatTable(
    columns.map(([heading]) => heading),
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  );

export const routeReportToText = ({ rows, faults }: RouteReport): string =>
  `${tableOf(columns, rows)}\n\n${tableOf(faultColumns, faults)}`;

function readRouters(text: string | undefined): number[] {
  if (text === undefined) return [1, 50, 200];
  const counts = text.split(",").map((each) => (/^\d+$/.test(each.trim()) ? Number(each) : Number.NaN));
  if (counts.every((count) => count >= 1 && count <= maxRouters)) return counts;
  throw new UsageError(`--routers: expected whole numbers from 1 to ${maxRouters}, got "${text}"`);
}

/** @throws UsageError for an option that only `--routes` reads. */
export function refuseWithoutRoutes(values: OptionValues): void {
  for (const name of ["requests", "routers"] as const)
    if (values[name] !== undefined) throw new UsageError(`--${name}: expected together with --routes, got it alone`);
}

/** Prints how rules of routing do in a simulated fleet, and ours when something happens to it. */
export function backtestRoutes(values: OptionValues): number {
  const other = Object.keys(values).find((name) => values[name] !== undefined && !allowed.has(name));
  if (other !== undefined) throw new UsageError(`--${other}: expected without --routes, got both`);
  const requests = optionalNumber(values, "requests", { min: minRequests, max: 10_000_000 }) ?? 150_000;
  const report = routeReport(Math.round(requests), readRouters(optionalString(values, "routers")), 1);
  console.log(values["json"] === true ? JSON.stringify(report, null, 2) : routeReportToText(report));
  return 0;
}
