import type { SloRow } from "#controller/slo/slo-report.ts";
import { type Command, optionalChoice } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { askController, controllerUrlOption } from "./run/ask-controller.ts";

/** Characters of a name that fit beside the figures on a line of 80. */
const maxName = 22;
const shortened = (name: string) => (name.length > maxName ? `${name.slice(0, maxName - 1)}…` : name);

/** "99.95 %"; as many digits as tell it from 100 %. */
const percent = (value: number | null, digits = 2) => (value === null ? "-" : `${(100 * value).toFixed(digits)} %`);

function nameOf({ scope, name }: SloRow): string {
  if (scope === "fleet") return "fleet";
  const unnamed = scope === "region" ? "(none)" : "(not told)";
  return shortened(`${scope} ${name === "" ? unnamed : name}`);
}

function budgetToText(left: number | null): string {
  if (left === null) return "-";
  return left < 0.005 ? "none" : percent(left, 0);
}

/** Shows what users were given in a table, the widest scope first. */
export function sloToText(rows: readonly SloRow[]): string {
  const [fleet] = rows;
  if (fleet === undefined || rows.every(({ requests }) => requests === 0)) return "no requests on record yet";
  const { availability, p95Ms } = fleet.objective;
  const latency = p95Ms === null ? "" : `, 95 % of them within ${p95Ms} ms`;
  const cells = rows
    .filter(({ scope, requests }) => scope === "fleet" || requests > 0)
    .map((row) => [
      row.window,
      nameOf(row),
      String(row.requests),
      percent(row.availability),
      row.p95Ms === null ? "-" : `${Math.round(row.p95Ms)} ms`,
      budgetToText(row.budgetLeft),
      row.burnRate === null ? "-" : row.burnRate.toFixed(row.burnRate < 10 ? 1 : 0),
    ]);
  return [
    `target: ${percent(availability, 3).replace(/\.?0+ %$/, " %")} of requests answered${latency}`,
    "BUDGET: error budget left; BURN: burn rate, 1 uses all of it by the window's end",
    "",
    formatTable(["WINDOW", "OF", "REQUESTS", "ANSWERED", "P95", "BUDGET", "BURN"], cells),
  ].join("\n");
}

const windows = ["1h", "24h", "30d"];

export const sloCommand: Command = {
  summary: "show availability, latency, error budget and burn rate as users saw them",
  usage: "[--window 1h|24h|30d] [--url URL] [--json]",
  examples: ["thormesh slo --window 30d"],
  optionsOnly: true,
  options: {
    window: { value: "WINDOW", help: "only this window: 1h, 24h or 30d" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values) {
    const window = optionalChoice(values, "window", windows);
    const { rows, ...rest } = (await askController(values, "/api/v1/slo")) as { nowMs: number; rows: SloRow[] };
    const shown = rows.filter((row) => window === undefined || row.window === window);
    console.log(values["json"] === true ? JSON.stringify({ ...rest, rows: shown }, null, 2) : sloToText(shown));
    return 0;
  },
};
