import { askController, controllerUrlOption } from "#cli/run/ask-controller.ts";
import type { PowerReport } from "#controller/cost/report-power.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { readTraces, traceOptions } from "../read-traces.ts";

/** Limit of rows in the table; --json has all. */
const maxTenantRows = 20;

/** Shows the energy by use, with the tenants that used most of it. */
function energyUseToText({ idleKwh, activeKwh, unsplitKwh, unattributedKwh, byTenant }: PowerReport["energyByUse"]) {
  const parts = [`idle ${idleKwh.toFixed(3)}`, `active ${activeKwh.toFixed(3)}`];
  if (unsplitKwh > 0) parts.push(`not split ${unsplitKwh.toFixed(3)}`);
  const rows = byTenant
    .slice(0, maxTenantRows)
    .map(({ model, tenant, activeKwh, activeUsd }) => [model, tenant, activeKwh.toFixed(3), activeUsd.toFixed(2)]);
  if (unattributedKwh >= 0.0005) rows.push(["(other programs)", "", unattributedKwh.toFixed(3), ""]);
  return [
    `kWh: ${parts.join(", ")}`,
    "",
    ...(rows.length === 0 ? [] : [formatTable(["MODEL", "TENANT", "ACTIVE KWH", "USD"], rows), ""]),
  ];
}

/** Shows the report as a table and a few lines. */
export function powerReportToText(report: PowerReport): string {
  const { actual, alwaysTopMode, foresight, minutesByMode, assumptions } = report;
  const row = (name: string, figures: { energyKwh: number; usd: number; co2Kg: number } | null, note: string) =>
    figures === null
      ? [name, "-", "-", "-", note]
      : [name, figures.energyKwh.toFixed(3), figures.usd.toFixed(2), figures.co2Kg.toFixed(3), note];
  const unknown = report.unknownReason ?? "";
  const table = formatTable(
    ["", "KWH", "USD", "KG CO2", ""],
    [
      row("actual", actual, ""),
      row(
        "always top mode",
        alwaysTopMode,
        alwaysTopMode === null ? unknown : `${(alwaysTopMode.savedShare * 100).toFixed(1)} % saved`,
      ),
      row(
        "foresight",
        foresight,
        foresight === null ? unknown : `the actual energy is ${foresight.actualRatio.toFixed(2)} times that`,
      ),
    ],
  );
  const modes = Object.entries(minutesByMode).map(([mode, minutes]) => `${mode} ${minutes.toFixed(0)}`);
  return [
    `${(report.measuredMinutes / 60).toFixed(1)} agent-hours measured`,
    "",
    table,
    "",
    ...energyUseToText(report.energyByUse),
    cleanText(`minutes in each mode: ${modes.length === 0 ? "none" : modes.join(", ")}`),
    `${assumptions.tariffUsdPerKwh} USD and ${assumptions.co2KgPerKwh} kg CO2 per kWh`,
  ].join("\n");
}

async function backtest(paths: readonly string[], values: OptionValues): Promise<number> {
  if (paths.length === 0 && values["prometheus"] === undefined)
    throw new UsageError("expected the files of one or more traces after backtest, or --prometheus with --query");
  const peakOf = optionalChoice(values, "peak-of", ["trace", "days"]) ?? "trace";
  // TensorFlow.js takes long to load: only when needed.
  const { backtestTraces, traceBacktestToText } = await import("#tools/power/backtest-traces.ts");
  const recorded = await readTraces(paths.length === 0 ? undefined : paths, values);
  const request = {
    traces: recorded.map(({ trace }) => trace),
    preset: optionalString(values, "board") ?? "thor-t5000",
    profilePath: optionalString(values, "profile"),
    configPath: optionalString(values, "config"),
    days: optionalNumber(values, "days", { min: 0.1, max: 400 }) ?? 7,
    peakOf,
  } as const;
  const show = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const onProgress = (trace: string, share: number) => show(`${trace}: ${Math.round(100 * share)} %`);
  const reports: unknown[] = [];
  for await (const report of backtestTraces(request, onProgress)) {
    show("");
    if (values["json"] === true) reports.push(report);
    else console.log(`${traceBacktestToText(report)}\n`);
  }
  if (values["json"] === true) console.log(JSON.stringify(reports, null, 2));
  return 0;
}

export const powerCommand: Command = {
  summary: "report what power modes saved, or backtest them on recorded traffic",
  usage: `report [--window 24h] [--url URL] [--json]
       thormesh power backtest TRACE…|--prometheus URL --query PROMQL [--days 7] [--board PRESET] [--json]`,
  examples: ["thormesh power report --window 7d", "thormesh power backtest requests.csv --board thor"],
  options: {
    window: { value: "WINDOW", only: "report", help: "15m, 24h, 7d, yesterday, lastmonth, … (default: 24h)" },
    url: { ...controllerUrlOption.url, only: "report" },
    ca: { ...controllerUrlOption.ca, only: "report" },
    ...traceOptions("backtest"),
    days: { value: "N", only: "backtest", help: "replay the last N days of each trace (default: 7)" },
    board: { value: "PRESET", only: "backtest", help: "board to simulate (default: thor-t5000)" },
    profile: { value: "FILE", only: "backtest", help: "use the figures of this calibration profile instead" },
    "peak-of": {
      value: "WHAT",
      only: "backtest",
      help: "scale so that the busiest minute of trace or days is 90 % of the board's capacity (default: trace)",
    },
    config: {
      short: "c",
      value: "FILE",
      only: "backtest",
      help: "take the power policy from this agent configuration",
    },
    json: { help: "print JSON" },
  },
  async run(values, [action, ...more]) {
    if (action === "backtest") return backtest(more, values);
    if (action !== "report" || more.length > 0) {
      const got = action === undefined ? undefined : [action, ...more].join(" ");
      throw unexpectedWord('"report" or "backtest"', got, ["report", "backtest"]);
    }
    const window = encodeURIComponent(optionalString(values, "window") ?? "24h");
    const report = (await askController(values, `/api/v1/power/report?window=${window}`)) as PowerReport;
    console.log(values["json"] === true ? JSON.stringify(report, null, 2) : powerReportToText(report));
    return 0;
  },
};
