import type { Registry } from "prom-client";
import { medianPeakQps } from "#forecast/median-peak.ts";
import type { Clock } from "#platform/clock.ts";
import { registerGauges, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { TenantCeilings } from "../access/tenant-ceilings.ts";
import type { TenantShares } from "../access/tenant-shares.ts";
import type { Tenants } from "../access/tenants.ts";
import type { ControllerConfig } from "../config.ts";
import type { AnomalyTerms } from "../cost/anomaly/find-anomalies.ts";
import { Budgets } from "../cost/budgets/budgets.ts";
import { DailyDigest } from "../cost/digest/daily-digest.ts";
import { type Digest, makeDigest } from "../cost/digest/make-digest.ts";
import type { CostHistory } from "../cost/history/cost-history.ts";
import type { PriceSource } from "../cost/prices/price-source.ts";
import { findSavings } from "../cost/savings/find-savings.ts";
import type { Saving } from "../cost/savings/saving.ts";
import type { SavingsServices } from "../cost/savings/savings-input.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { DecisionLoop } from "../scaling/loop/decision-loop.ts";
import type { FleetFreeze } from "../scaling/loop/fleet-freeze.ts";
import type { DecisionStore, KeptStore } from "../store/store.ts";
import { AlertMonitor } from "./alert-monitor.ts";
import { alertRules } from "./alert-rules.ts";
import { createNotifier } from "./notify/create-notifier.ts";
import { readAnomalies, readBudgets, readCosts } from "./read-costs.ts";
import { readService } from "./read-service.ts";

export interface AlertsParts {
  readonly config: Pick<ControllerConfig, "fleet" | "alerts" | "cost" | "ingest">;
  readonly store: KeptStore & Pick<DecisionStore, "insertDecision">;
  readonly tenants: Pick<Tenants, "find">;
  readonly tenantShares: Pick<TenantShares, "of">;
  readonly freeze: Pick<FleetFreeze, "current">;
  readonly history: CostHistory;
  readonly fleet: Pick<Fleet, "agents">;
  readonly loop: Pick<DecisionLoop, "latestForecast">;
  readonly registry: Registry;
  readonly openPrices: () => PriceSource;
  /** Use of services outside the fleet. */
  readonly services: SavingsServices;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Budgets and alerts of a controller. */
export interface Alerts {
  readonly budgets: Budgets;
  /** Limits that budgets put on tenants. */
  readonly ceilings: TenantCeilings;
  readonly monitor: AlertMonitor;
  savings(): Promise<Saving[]>;
  /** Makes the digest of yesterday. */
  digest(): Promise<Digest>;
  /** Tells the notifiers the digest of yesterday, once a day. */
  tellDaily(): Promise<void>;
  /** Loads what an earlier run knew. */
  recover(): Promise<void>;
  /** Looks at budgets and rules once. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

function registerAlertMetrics(registry: Registry, budgets: Budgets, monitor: AlertMonitor): void {
  registerGauges(registry, "thormesh_alerts", "Alerts by rule and status", ["rule", "severity", "status"], () => {
    const counts = new Map<string, readonly [Record<string, string>, number]>();
    for (const { rule, severity, status } of monitor.alerts()) {
      const key = `${rule} ${severity} ${status}`;
      counts.set(key, [{ rule, severity, status }, (counts.get(key)?.[1] ?? 0) + 1]);
    }
    return counts.values();
  });
  registerGauges(registry, "thormesh_budget_used_percent", "Share of a budget that has been spent", ["budget"], () =>
    budgets.latest().map(({ budget, usedPercent }) => [{ budget: budget.id }, usedPercent] as const),
  );
  registerTotals(
    registry,
    "thormesh_notices_total",
    "Alert notices by notifier and result; failed counts attempts",
    ["notifier", "outcome"],
    () =>
      monitor
        .notifiers()
        .flatMap(({ name, sent, failures, dropped }) => [
          [{ notifier: name, outcome: "sent" }, sent] as const,
          [{ notifier: name, outcome: "failed" }, failures] as const,
          [{ notifier: name, outcome: "dropped" }, dropped] as const,
        ]),
  );
}

/** Amount that an anomaly must be worth, US$. */
const minAnomalyUsd = 0.1;

/** Terms by which days are judged. */
export function anomalyTerms({ alerts, cost }: Pick<ControllerConfig, "alerts" | "cost">): AnomalyTerms {
  const { threshold } = alerts.rules["cost-anomaly"];
  return {
    threshold: threshold ?? alertRules["cost-anomaly"].threshold,
    minUsd: minAnomalyUsd,
    timeZone: cost.timeZone,
  };
}

/** Reads again what hardly changes at most every ten minutes. */
function eachTenMinutes<T>(clock: Clock, read: () => Promise<T>): () => Promise<T> {
  let newest: { readonly atMs: number; readonly value: T } | null = null;
  return async () => {
    const atMs = clock.nowMs();
    if (newest === null || Math.abs(atMs - newest.atMs) >= 10 * minuteMs) newest = { atMs, value: await read() };
    return newest.value;
  };
}

/** Connects budgets, rules and notifiers. Nothing is started. */
export function assembleAlerts(parts: AlertsParts): Alerts {
  const { config, store, history, tenants, fleet, loop, registry, environment, clock, log } = parts;
  const nowMs = () => clock.nowMs();
  const budgets = new Budgets({
    ...{ store, history, timeZone: config.cost.timeZone, nowMs },
    isTenant: (name) => tenants.find(name) !== undefined,
  });
  const ceilings = new TenantCeilings({
    ...{ store, history, tenants, shares: parts.tenantShares, nowMs, log },
    isFrozen: () => parts.freeze.current() !== null,
  });
  const anomalies = eachTenMinutes(clock, () => readAnomalies(history, anomalyTerms(config), nowMs()));
  const monitor = new AlertMonitor({
    config: config.alerts,
    notifiers: config.alerts.notifiers.map((each) => createNotifier(each, { fleetName: config.fleet, environment })),
    ...{ store, clock, log },
    async values() {
      const forecast = loop.latestForecast();
      const expected = {
        forecastPeakQps: forecast === null ? null : medianPeakQps(forecast),
        throughput: config.alerts.rules.throughput.threshold,
      };
      return [
        ...(await readCosts(history, nowMs())),
        ...(await anomalies()),
        ...readService(fleet.agents(), expected, nowMs(), config.ingest.staleAfterMs),
      ];
    },
    readings: async () => readBudgets(budgets.latest()),
  });
  registerAlertMetrics(registry, budgets, monitor);
  const savings = () =>
    findSavings({
      ...{ history, services: parts.services, prices: parts.openPrices(), agents: fleet.agents(), nowMs: nowMs() },
    });
  const digest = () => {
    const { timeZone, planned } = config.cost;
    return makeDigest(history, { ...anomalyTerms(config), timeZone, planned, nowMs: nowMs() }, savings);
  };
  const daily = new DailyDigest({
    ...{ store, timeZone: config.cost.timeZone, make: digest, nowMs },
    tell: ({ text }) => monitor.announce("digest", "yesterday's cost", text),
  });
  return {
    ...{ budgets, ceilings, monitor, savings, digest },
    tellDaily: () => daily.look(),
    async recover() {
      await budgets.recover();
      await ceilings.recover();
      await monitor.recover();
    },
    async look() {
      await ceilings.look(await budgets.look());
      await monitor.look();
    },
    stop: () => monitor.stop(),
  };
}
