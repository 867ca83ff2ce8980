import type { Registry } from "prom-client";
import { cleanText } from "#platform/clean-text.ts";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { SloRow } from "./slo-report.ts";
import type { SloReports } from "./slo-reports.ts";

const gauges = {
  availability: "Share of requests that were answered",
  error_rate: "Share of requests that were refused or failed",
  error_budget_left: "Share of the window's error budget that is left; negative: overspent",
  burn_rate: "Burn rate of the error budget; 1 uses all of it by the end of the window",
  p95_seconds: "95th percentile latency of answered requests",
  latency_burn_rate: "Burn rate of the 5 % of requests that may be slower than the target",
} as const;

const figureOf = (name: keyof typeof gauges, row: SloRow): number | null =>
  ({
    availability: row.availability,
    error_rate: row.errorRate,
    error_budget_left: row.budgetLeft,
    burn_rate: row.burnRate,
    p95_seconds: row.p95Ms === null ? null : row.p95Ms / 1000,
    latency_burn_rate: row.latencyBurnRate,
  })[name];

/** Registers what users were given, by window and by fleet, region and model; without requests there is no sample. */
export function registerSloMetrics(registry: Registry, reports: Pick<SloReports, "rows">): void {
  for (const name of Object.keys(gauges) as (keyof typeof gauges)[]) {
    registerGauges(registry, `thormesh_slo_${name}`, gauges[name], ["window", "scope", "name"], async () =>
      (await reports.rows()).flatMap((row) => {
        const value = figureOf(name, row);
        const { window, scope } = row;
        return value === null ? [] : [[{ window, scope, name: cleanText(row.name) }, value] as const];
      }),
    );
  }
}
