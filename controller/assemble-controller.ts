import { Registry } from "prom-client";
import { accuracyWindows, registerAccuracyMetrics } from "#forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { withLiveAccuracy } from "#forecast/accuracy/scored-forecaster.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { registerTotal } from "#platform/fetch/scraped-metrics.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import type { ControllerAccess } from "./access/open-access.ts";
import { TenantQuotaParts } from "./access/quota-parts.ts";
import { TenantShares } from "./access/tenant-shares.ts";
import { forecastPeakQps } from "./api/fleet-routes.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { registerBrokerMetrics } from "./broker/broker-metrics.ts";
import type { FleetBroker } from "./broker/fleet-broker.ts";
import type { ControllerConfig } from "./config.ts";
import type { ControllerLease } from "./controller-lease.ts";
import type { CostLedger } from "./cost/ledger/cost-ledger.ts";
import { registerCostMetrics } from "./cost/ledger/cost-metrics.ts";
import { pricesOf } from "./cost/price-minute.ts";
import { conditionOf, countConditions } from "./dashboard/agent-facts.ts";
import { type AgentState, availabilityOf, ownRoleOf } from "./fleet/agent-state.ts";
import { createDesiredDocuments } from "./fleet/desired-documents.ts";
import { createFleet, liveQps } from "./fleet/fleet.ts";
import { Ingest } from "./fleet/ingest.ts";
import { createIngestCounts } from "./fleet/ingest-counts.ts";
import { createPeerList } from "./fleet/peer-list.ts";
import { Retirement } from "./fleet/retire-agents.ts";
import { SenderPaces } from "./fleet/sender-paces.ts";
import { Housekeeping } from "./housekeeping.ts";
import { noSeals, type OrderSeals } from "./identity/order-seals.ts";
import { createControllerMetrics } from "./metrics.ts";
import { ControllerTenantData } from "./privacy/controller-tenant-data.ts";
import { TenantExpiry } from "./privacy/tenant-expiry.ts";
import { TenantJobs } from "./privacy/tenant-jobs.ts";
import { Rollout } from "./rollout/rollout.ts";
import type { CapacityProvider } from "./scaling/actuators/capacity-provider.ts";
import { Machines } from "./scaling/actuators/machines.ts";
import { BacktestJobs } from "./scaling/backtest/job/backtest-jobs.ts";
import type { FleetPlanner } from "./scaling/fleet-plan/worker/fleet-planner.ts";
import { DecisionLoop } from "./scaling/loop/decision-loop.ts";
import { createFleetFreeze } from "./scaling/loop/fleet-freeze.ts";
import { createOverrides } from "./scaling/loop/overrides.ts";
import { UrgentRounds } from "./scaling/loop/urgent-rounds.ts";
import { LivePolicy } from "./scaling/policy/live-policy.ts";
import { newestShowsTrouble } from "./scaling/slo/observe-service.ts";
import { SpendingWatch } from "./scaling/spending/spending-watch.ts";
import { registerSloMetrics } from "./slo/slo-metrics.ts";
import { SloReports } from "./slo/slo-reports.ts";
import type { Store } from "./store/store.ts";

/** The adapters between the controller and the world. */
export interface ControllerAdapters {
  readonly store: Store;
  /** Accuracy of the fleet's forecasts. */
  readonly accuracy: LiveAccuracy;
  readonly lease: Pick<ControllerLease, "isHeld">;
  readonly fleetBroker: Pick<FleetBroker, "broker" | "counts">;
  /** Region that a device's certificate names; null: none. Default: no device has one. */
  readonly certifiedRegion?: (agentId: string) => string | null;
  /** Keys and tenants, for jobs with a tenant's data. */
  readonly access: Pick<ControllerAccess, "keys" | "tenants">;
  /** Messages of different agents that are handled at once. Default: one. */
  readonly messagesAtOnce?: number;
  /** Signs documents for agents. Default: not signed. */
  readonly seals?: OrderSeals;
  readonly providers: readonly CapacityProvider[];
  readonly forecaster: Forecaster;
  readonly planner?: FleetPlanner;
  /** Makes and reads cost lines. */
  readonly ledger: CostLedger;
  readonly clock: Clock;
  readonly log: Logger;
}

export type ControllerAssembly = ReturnType<typeof assembleController>;

const isLeaving = (agent: AgentState | undefined) =>
  agent?.presence?.status !== "online" || agent.presence.role === "draining";

/** Connects the parts from the agents' messages to decisions and documents. Nothing is started. */
export function assembleController(config: ControllerConfig, adapters: ControllerAdapters) {
  const {
    store,
    accuracy,
    lease,
    fleetBroker,
    seals = noSeals,
    providers,
    forecaster,
    planner,
    ledger,
    clock,
    log,
  } = adapters;
  const { broker } = fleetBroker;
  const { staleAfterMs } = config.ingest;
  const nowMs = () => clock.nowMs();
  const { tariffUsdPerKwh, amortisationUsdPerHour } = config.cost;
  const prices = { tariffUsdPerKwh, amortisationUsdPerHour };
  const fleet = createFleet();
  const term = () => store.leaseTerm();
  const desired = createDesiredDocuments({ fleetName: config.fleet, fleet, store, broker, seals, term, nowMs, log });

  const peerList = createPeerList({
    ...{ fleetName: config.fleet, fleet, documents: desired.documents, broker, staleAfterMs, nowMs },
  });

  const registry = new Registry();
  const servingAgents = () =>
    fleet.agents().filter((agent) => !isLeaving(agent) && ownRoleOf(agent) === "active").length;
  const tenantShares = new TenantShares(servingAgents);
  const quotas = new TenantQuotaParts({
    ...{ agents: servingAgents, store, nowMs },
    settingsOf: (tenant) => adapters.access.tenants.find(tenant)?.settings,
  });
  const audit = new AuditLog({ store, nowMs, log });
  const tenantData = new ControllerTenantData({ store, fleet, ...adapters.access, shares: tenantShares });
  const tenantJobs = new TenantJobs({ store, fleet, data: tenantData, nowMs, log });
  // Parts of quotas of a tenant that is gone are dropped when they are stored.
  tenantData.alsoErase([() => quotas.save().then(() => 0)]);
  registerTotal(registry, "thormesh_audit_failures_total", "Audit entries that could not be written", () =>
    audit.failures(),
  );
  const accuracyOf = (window: keyof typeof accuracyWindows) => accuracy.figures(accuracyWindows[window], nowMs());
  const metrics = createControllerMetrics(registry, {
    agentCounts() {
      const conditions = fleet.agents().map((agent) => ({
        condition: conditionOf(agent, desired.documents.get(agent.agentId), nowMs(), staleAfterMs),
      }));
      const { serving: active, ...others } = countConditions(conditions);
      return { active, ...others };
    },
    liveQps: () => liveQps(fleet.agents().filter((agent) => availabilityOf(agent, nowMs(), staleAfterMs).online)),
    forecastPeakQps: () => forecastPeakQps(loop),
    brokerConnected: () => broker.connected,
    unreadableRows: () => store.unreadableRows(),
    storeBytes: () => store.usedBytes(),
    storeUsable: () => store.fault() === null,
  });
  if (fleetBroker.counts !== null) registerBrokerMetrics(registry, fleetBroker.counts);
  registerCostMetrics(registry, { store, ledger, nowMs, labelsOf: () => ({}) });
  const sloReports = new SloReports(store, config.slo, nowMs);
  registerSloMetrics(registry, sloReports);
  registerAccuracyMetrics(registry, "thormesh_fleet_forecast", accuracyOf);

  const { policyFile } = config.scaling;
  const policy = policyFile === null ? null : new LivePolicy(policyFile, clock, log, store);
  const times = config.scaling.capacity;
  const machines = new Machines({ providers, times, staleAfterMs, fleet, desired, store, nowMs, log });
  const decide = async (isUrgent = false) => {
    if (!lease.isHeld()) return;
    await loop.run(isUrgent).catch((error) => log.error({ err: describeError(error) }, "deciding failed"));
  };
  const onChange = () => void decide();
  const spending = new SpendingWatch(config.scaling.plan.maxCloudUsdPerHour);
  const freeze = createFleetFreeze({ store, nowMs, onChange });
  const overrides = createOverrides({ fleet, desired, store, nowMs, onChange });
  const loop = new DecisionLoop({
    config: config.scaling,
    slo: config.slo,
    limits: { staleAfterMs },
    prices,
    fleet,
    desired,
    store,
    forecaster: withLiveAccuracy(forecaster, accuracy, log),
    ...(planner === undefined ? {} : { planner }),
    ...(policy === null ? {} : { policy }),
    machines,
    spending,
    pricesAt(agentId, timeMs) {
      const of = ledger.pricesAt(agentId, timeMs);
      const carbon = (config.cost.co2KgPerKwh * config.cost.carbonUsdPerTonne) / 1000;
      return { ...of, tariffUsdPerKwh: of.tariffUsdPerKwh + carbon };
    },
    frozen: () => (lease.isHeld() ? (freeze.current()?.reason ?? null) : "this controller no longer holds the lease"),
    nowMs,
    log,
    onDecision: metrics.decision,
    onRound: metrics.round,
  });

  const rollout = new Rollout({
    ...{ fleet, desired, store, sloReports, minServing: config.scaling.minReplicas, staleAfterMs, nowMs, log },
    // Who freezes the fleet wants it to stay as it is.
    mayAct: () => lease.isHeld() && freeze.current() === null,
  });

  const urgent = new UrgentRounds(clock, () => decide(true));

  const counts = createIngestCounts();
  let listeningSinceMs: number | null = null;
  broker.onConnection((connected) => {
    listeningSinceMs = connected ? nowMs() : null;
  });
  const retirement = new Retirement({
    fleetName: config.fleet,
    fleet,
    desired,
    store,
    broker,
    staleAfterMs,
    retireAfterMs: config.ingest.retireAfterDays * dayMs,
    isConfigured: (agentId) => machines.switches(agentId),
    listeningSinceMs: () => listeningSinceMs,
    onRetired(agentId) {
      ingest.forget(agentId);
      tenantShares.forget(agentId);
      metrics.forget(agentId);
    },
    nowMs,
    log,
  });
  const ingest = new Ingest({
    fleetName: config.fleet,
    fleet,
    store,
    broker,
    seals,
    messagesAtOnce: adapters.messagesAtOnce ?? 1,
    // The embedded broker slows a client down instead.
    ...(config.broker.url === null ? {} : { paces: new SenderPaces(config.broker.limits) }),
    ...(adapters.certifiedRegion === undefined ? {} : { certifiedRegion: adapters.certifiedRegion }),
    limits: { ...config.ingest, minutesKeptMs: config.retention.minuteDays * dayMs },
    counts,
    retireOne: () => retirement.retireOne(),
    nameOf: tenantJobs.nameOf,
    usualCapacityQps: config.scaling.capacityPerReplicaQps,
    nowMs,
    log,
    rate: (data) => ledger.rate(data),
    onMessage: metrics.message,
    onMinute(data, agent) {
      tenantShares.add(data);
      quotas.add(data);
      metrics.minute(data, pricesOf(agent.birth, prices));
    },
    onBeat(agent) {
      if (newestShowsTrouble(agent, config.slo, nowMs())) void urgent.ask();
    },
    onAgentChanged(before, after) {
      const { agentId, presence, birth } = after;
      if (birth !== null && birth !== before?.birth)
        ledger.observeBirth(birth).catch((error) => log.error({ err: describeError(error) }, "noting a birth failed"));
      if (isLeaving(before) && !isLeaving(after)) log.info({ agentId, url: presence?.url }, "an agent is online");
      if (isLeaving(before) || !isLeaving(after)) return;
      tenantShares.forget(agentId);
      if (presence?.status === "online") log.info({ agentId }, "an agent is draining");
      else log.warn({ agentId }, "an agent is offline");
      void decide();
    },
  });
  const { retention } = config;
  const housekeeping = new Housekeeping({
    ...{ store, traffic: fleet.traffic, accuracy, retention, jobs: tenantJobs, nowMs, log },
    expiry: new TenantExpiry({ store, tenants: adapters.access.tenants }),
  });
  return {
    ...{
      fleet,
      desired,
      peerList,
      prices,
      registry,
      audit,
      tenantShares,
      quotas,
      tenantData,
      tenantJobs,
      policy,
      // Without a policy in force another one can be tried anyway.
      backtests: new BacktestJobs({ nowMs, log }),
      previewer: policy ?? new LivePolicy("", clock, log),
      machines,
      freeze,
      rollout,
      overrides,
      loop,
      ledger,
      spending,
      urgent,
      counts,
      retirement,
      ingest,
    },
    ...{ housekeeping, sloReports, accuracyOf, accuracy, forecaster },
  };
}
