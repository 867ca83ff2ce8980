import { askController, controllerUrlOption } from "#cli/run/ask-controller.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { baseline, compare } from "./baseline.ts";
import { showAnomalies, showDaily, showForecast } from "./cost-outlook.ts";
import { chargeback, exportCosts } from "./cost-reports.ts";
import { type CostAnswer, costToText } from "./cost-to-text.ts";
import { reconcile } from "./reconcile.ts";

/** Options of the table of costs, by the reports that take them as well. */
const reportsOf: Readonly<Record<string, readonly string[]>> = {
  by: ["reconcile", "compare"],
  column: ["reconcile"],
  map: ["reconcile"],
  tolerance: ["reconcile"],
  "share-idle": [],
  filter: [],
  ...{ share: [], fixed: [], overhead: [] },
  window: ["export", "anomalies", "baseline", "compare"],
  focus: ["export"],
  ...{
    month: ["chargeback", "reconcile"],
    tenant: ["chargeback"],
    idle: ["chargeback"],
    format: ["chargeback", "reconcile"],
  },
  out: ["export", "chargeback"],
  tell: ["daily"],
  reason: ["baseline"],
  json: ["forecast", "anomalies", "daily", "baseline", "compare"],
};
/** Options that the table of costs takes. */
const ofTable = ["by", "share-idle", "share", "fixed", "overhead", "filter", "window", "json"];

/** Refuses options of other reports. */
function refuseOptionsOfOthers(values: OptionValues, report: string | undefined): void {
  for (const [name, reports] of Object.entries(reportsOf)) {
    if (!(name in values)) continue;
    if (report === undefined ? ofTable.includes(name) : reports.includes(report)) continue;
    const place = report === undefined ? "cost" : `cost ${report}`;
    throw new UsageError(`--${name} does not apply to ${place}`);
  }
}

async function table(values: OptionValues): Promise<number> {
  const query = new URLSearchParams({
    window: optionalString(values, "window") ?? "7d",
    aggregate: optionalString(values, "by") ?? "tenant",
    filter: optionalString(values, "filter") ?? "",
    shareIdle: optionalChoice(values, "share-idle", ["weighted", "even"]) ?? "false",
    includeIdle: "true",
  });
  const more = { share: "shareNamespaces", fixed: "shareHourlyCosts", overhead: "sharedOverhead" };
  for (const [option, parameter] of Object.entries(more)) {
    const value = optionalString(values, option);
    if (value !== undefined) query.set(parameter, value);
  }
  // A space is written so that every parser of queries reads it.
  const path = `/allocation/summary?${String(query).replaceAll("+", "%20")}`;
  const answer = (await askController(values, path)) as CostAnswer;
  console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : costToText(answer));
  return 0;
}

const reports: Readonly<Record<string, (values: OptionValues, words: readonly string[]) => Promise<number>>> = {
  export: exportCosts,
  chargeback,
  forecast: showForecast,
  anomalies: showAnomalies,
  daily: showDaily,
  reconcile,
  baseline,
  compare,
};

/** Reports that take more words. */
const takeWords = ["reconcile", "baseline", "compare"];

export const costCommand: Command = {
  summary: "show cost by tenant, model, agent, region or label; write reports for finance",
  usage: `[--by tenant,model] [--window 7d] [--share-idle weighted|even] [--filter CONDITIONS] [--json]
         [--share TENANTS] [--fixed NAME:USD,…] [--overhead USD]
       thormesh cost chargeback [--month 2026-11] [--tenant NAME] [--idle none] [--format text|json|csv|html] [--out FILE]
       thormesh cost daily [--tell] [--json]
       thormesh cost forecast [--json]
       thormesh cost anomalies [--window 30d] [--json]
       thormesh cost baseline set NAME [--window lastmonth]
       thormesh cost baseline list
       thormesh cost baseline delete NAME
       thormesh cost compare NAME [--window 7d] [--by tenant] [--json]
       thormesh cost reconcile BILL.csv --month 2026-11 [--by region|tenant|model] [--column NAME] [--map THEIRS=OURS,…]
         [--tolerance US$] [--format text|json|csv]
       thormesh cost export --focus [--window month] [--out FILE]
       each with [--url URL]`,
  examples: [
    "thormesh cost --by tenant,model --window 7d",
    "thormesh cost chargeback --month 2026-11 --format html --out november.html",
  ],
  options: {
    by: { value: "LIST", help: "tenant, model, agent, region, label:NAME, in any combination (default: tenant)" },
    window: {
      value: "WINDOW",
      help: "15m, 24h, 7d, yesterday, lastmonth, … (default: 7d; for export: month; for anomalies: 30d)",
    },
    "share-idle": {
      value: "HOW",
      help: "weighted or even: how idle cost is shared among the groups (default: not shared)",
    },
    share: { value: "TENANTS", help: "tenants whose cost is shared among the others, e.g. ops,platform" },
    fixed: { value: "COSTS", help: "fixed costs per hour, shared by all, e.g. dns:0.07,support:1.3" },
    overhead: { value: "USD", help: "fixed costs per month of 730 hours, shared by all" },
    filter: { value: "CONDITIONS", help: 'only what matches, e.g. tenant:"shop"+region:"eu"' },
    month: {
      value: "MONTH",
      help: "chargeback, reconcile: a month such as 2026-11 (default for chargeback: this month)",
    },
    tenant: { value: "NAME", help: "chargeback: only this tenant's" },
    idle: { value: "HOW", help: "chargeback: weighted (default: tenants bear idle time by what they used) or none" },
    format: {
      value: "FORMAT",
      help: "chargeback: text (default), json, csv or html, a page to print; reconcile: text, json or csv",
    },
    tell: { help: "daily: also send it to the notifiers" },
    column: { value: "NAME", help: "reconcile: column of the bill that names its lines" },
    map: { value: "NAMES", help: "reconcile: the fleet's names for the bill's, e.g. us-east-1=hall-1" },
    tolerance: { value: "US$", help: "reconcile: difference to ignore in a line (default: 0.01)" },
    focus: { help: "export: as FOCUS 1.2 (CSV)" },
    out: { value: "FILE", help: "chargeback and export: file to write (default: standard output)" },
    reason: { value: "TEXT", help: "baseline: reason, for the audit log" },
    ...controllerUrlOption,
    json: { help: "print the controller's answer" },
  },
  async run(values, [report, ...rest]) {
    if (report === undefined) {
      refuseOptionsOfOthers(values, undefined);
      return table(values);
    }
    const run = Object.hasOwn(reports, report) ? reports[report] : undefined;
    if (run === undefined)
      throw unexpectedWord(`options or one of ${Object.keys(reports).join(", ")}`, report, Object.keys(reports));
    if (rest.length > 0 && !takeWords.includes(report))
      throw new UsageError(`cost ${report}: expected nothing more, got "${rest.join(" ")}"`);
    refuseOptionsOfOthers(values, report);
    return run(values, rest);
  },
};
