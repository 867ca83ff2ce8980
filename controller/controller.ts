import { join } from "node:path";
import { Registry } from "prom-client";
import { accuracyWindows, registerAccuracyMetrics } from "#forecast/accuracy/accuracy-metrics.ts";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { createLiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { withLiveAccuracy } from "#forecast/accuracy/scored-forecaster.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import type { Logger } from "#platform/log.ts";
import { runPeriodically } from "#platform/periodic.ts";
import { version } from "#platform/version.ts";
import { agentView, countAgents } from "./api/agent-views.ts";
import type { ApiParts } from "./api/api-parts.ts";
import { controllerHealth, createStoreTrims } from "./api/controller-health.ts";
import { costRoutes } from "./api/cost-routes.ts";
import { decisionRoutes } from "./api/decision-routes.ts";
import { fleetRoutes, forecastPeakQps } from "./api/fleet-routes.ts";
import { operationsRoutes } from "./api/operations-routes.ts";
import { safetyRoutes } from "./api/safety-routes.ts";
import { trafficRoutes } from "./api/traffic-routes.ts";
import { registerBrokerMetrics } from "./broker/broker-metrics.ts";
import { createFleetBroker } from "./broker/fleet-broker.ts";
import { keptControllerId } from "./broker/kept-controller-id.ts";
import { assertControllerConfig } from "./check-config.ts";
import type { ControllerConfig } from "./config.ts";
import { createControllerLease } from "./controller-lease.ts";
import { pricesOf } from "./cost/price-minute.ts";
import { type AgentState, availabilityOf } from "./fleet/agent-state.ts";
import { createDesiredDocuments } from "./fleet/desired-documents.ts";
import { createFleet, liveQps } from "./fleet/fleet.ts";
import { createIdentityWatch } from "./fleet/identity-watch.ts";
import { createIngest, mostSetAside } from "./fleet/ingest.ts";
import { createIngestCounts } from "./fleet/ingest-counts.ts";
import { createRetirement } from "./fleet/retire-agents.ts";
import { createControllerMetrics } from "./metrics.ts";
import { createProviders } from "./scaling/actuators/create-providers.ts";
import { createMachines } from "./scaling/actuators/machines.ts";
import type { FleetPlanner } from "./scaling/fleet-plan/worker/fleet-planner.ts";
import { createDecisionLoop } from "./scaling/loop/decision-loop.ts";
import { createFleetFreeze } from "./scaling/loop/fleet-freeze.ts";
import { createOverrides } from "./scaling/loop/overrides.ts";
import { createLivePolicy } from "./scaling/policy/live-policy.ts";
import { controllerMigrations } from "./store/migrations.ts";
import { createRowQuarantine } from "./store/row-quarantine.ts";
import { createSqliteStore } from "./store/sqlite-store.ts";

export interface ControllerParts {
  readonly log: Logger;
  readonly clock: Clock;
  /** Makes the fleet's forecast; started and stopped with the controller. */
  readonly forecaster: Forecaster;
  /** Solves fleet plans, with `scaling.policy: fleet-plan`; stopped with the controller. */
  readonly planner?: FleetPlanner;
}

export interface Controller {
  /**
   * Resolves when API and broker listen and the fleet is being listened to; before that it stands by while another controller acts on
   * the same store. Resolves without having started when it was stopped meanwhile.
   * @throws UsageError when a port is in use or an address needs a key that is not configured.
   */
  start(): Promise<void>;
  /** Takes leave of the fleet, which goes on without it. */
  stop(): Promise<void>;
  /** Resolves when another controller has taken over the store: this one has stopped deciding and is to be stopped. */
  readonly replaced: Promise<void>;
  /** Base address of the API, once started. */
  readonly url: string;
  /** Where agents find the broker, once started. */
  readonly brokerUrl: string;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** The store's size is looked at. */
const trimEachMs = hourMs / 12;
/** Notes are no decisions: so many are kept. */
const mostNotes = 1000;

/** Puts a controller together from its configuration. Nothing happens before `start`. */
export function createController(
  config: ControllerConfig,
  { log, clock, forecaster, planner }: ControllerParts,
): Controller {
  const nowMs = () => clock.nowMs();
  const standingBy = new AbortController();
  let stopped = Promise.resolve();
  const replaced = Promise.withResolvers<void>();
  let running: { readonly url: string; readonly brokerUrl: string; stop(): Promise<void> } | undefined;

  const start = async () => {
    const { host, port, apiKeys } = config.api;
    assertControllerConfig(config, "the controller's configuration");
    assertListenAllowed("api", { host, apiKeys, insecure: config.insecure });
    /** What has been opened so far, to be closed in reverse order. */
    const opened: (() => Promise<unknown> | unknown)[] = [];
    const close = async () => {
      for (const step of opened.splice(0).reverse()) {
        try {
          await step();
        } catch (error) {
          log.error({ err: describeError(error) }, "a part could not be stopped");
        }
      }
    };
    try {
      const startedAtMs = nowMs();
      const stateDir = config.stateDir ?? defaultStateDir("controller", process.env);
      const storePath = join(stateDir, "controller.db");
      const database = openDatabase(storePath, controllerMigrations, log, Math.round(startedAtMs));
      const quarantine = createRowQuarantine((table, key, reason) =>
        log.error({ table, key, reason }, "a row of the store can't be read: skipping it"),
      );
      const store = createSqliteStore(database, quarantine);
      opened.push(() => store.close());
      const accuracy = createLiveAccuracy(database, undefined, (key, reason) =>
        quarantine.note("forecast_made", key, reason),
      );
      const accuracyOf = (window: keyof typeof accuracyWindows) => accuracy.figures(accuracyWindows[window], nowMs());
      const lease = createControllerLease(store, log, () => replaced.resolve());
      if (!(await lease.acquire(standingBy.signal))) return close();
      opened.push(() => lease.release());
      const fleet = createFleet();
      const fleetBroker = createFleetBroker({
        config,
        stateDir,
        controllerId: await keptControllerId(stateDir, log),
        environment: process.env,
        nowMs,
        log,
        onReplaced: () => replaced.resolve(),
      });
      if (!(await fleetBroker.awaitSole(standingBy.signal))) return close();
      const { broker } = fleetBroker;
      const desired = createDesiredDocuments({ fleetName: config.fleet, fleet, store, broker, nowMs, log });
      const prices = {
        tariffUsdPerKwh: config.cost.tariffUsdPerKwh,
        amortisationUsdPerHour: config.cost.amortisationUsdPerHour,
      };
      const { staleAfterMs } = config.ingest;
      const isOnline = (agent: AgentState) => availabilityOf(agent, nowMs(), staleAfterMs).online;

      const registry = new Registry();
      const metrics = createControllerMetrics(registry, {
        agentCounts: () =>
          countAgents(
            fleet
              .agents()
              .map((agent) => agentView(agent, desired.documents.get(agent.agentId), undefined, staleAfterMs, nowMs())),
          ),
        liveQps: () => liveQps(fleet.agents().filter(isOnline)),
        forecastPeakQps: () => forecastPeakQps(loop),
        brokerConnected: () => broker.connected,
        unreadableRows: () => store.unreadableRows(),
        storeBytes: () => store.usedBytes(),
      });
      if (fleetBroker.counts !== null) registerBrokerMetrics(registry, fleetBroker.counts);
      registerAccuracyMetrics(registry, "thormesh_fleet_forecast", accuracyOf);
      const { policyFile } = config.scaling;
      const policy = policyFile === null ? null : createLivePolicy(policyFile, clock, log);
      const machines = createMachines({
        providers: createProviders(config, {
          stateDir,
          log,
          broker: () => {
            const { url, keyFile } = fleetBroker;
            const { username, password, passwordFile } = config.broker;
            // At the embedded broker an agent has a secret of its own, whatever is configured for the controller elsewhere.
            return keyFile === null
              ? { url, username, password, passwordFile, keyFile }
              : { url, username: null, password: null, passwordFile: null, keyFile };
          },
        }),
        times: config.scaling.capacity,
        staleAfterMs: config.ingest.staleAfterMs,
        fleet,
        desired,
        store,
        nowMs,
        log,
      });
      const freeze = createFleetFreeze({ store, nowMs, onChange: () => void decide() });
      await freeze.recover();
      const loop = createDecisionLoop({
        config: config.scaling,
        limits: { staleAfterMs },
        prices,
        fleet,
        desired,
        store,
        forecaster: withLiveAccuracy(forecaster, accuracy, log),
        ...(planner === undefined ? {} : { planner }),
        ...(policy === null ? {} : { policy }),
        machines,
        frozen: () =>
          lease.isHeld() ? (freeze.current()?.reason ?? null) : "this controller no longer holds the lease",
        nowMs,
        log,
        onDecision: metrics.decision,
      });
      if (planner !== undefined) opened.push(() => planner.stop());
      opened.push(() => machines.stop());
      opened.push(() => loop.stop());
      const decide = () => loop.run().catch((error) => log.error({ err: describeError(error) }, "deciding failed"));
      const overrides = createOverrides({ fleet, desired, store, nowMs, onChange: () => void decide() });
      const counts = createIngestCounts();
      const trims = createStoreTrims();
      const damage = (atMs: number) => recentDamage(storePath, atMs);
      let listeningSinceMs: number | null = null;
      broker.onConnection((connected) => {
        listeningSinceMs = connected ? nowMs() : null;
      });
      const retention = { ...config.retention, minutesMs: config.retention.minuteDays * dayMs };
      const retirement = createRetirement({
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
          metrics.forget(agentId);
        },
        nowMs,
        log,
      });
      const ingest = createIngest({
        fleetName: config.fleet,
        fleet,
        store,
        broker,
        limits: { ...config.ingest, minutesKeptMs: retention.minutesMs },
        counts,
        makeRoom: () => retirement.makeRoom(),
        usualCapacityQps: config.scaling.capacityPerReplicaQps,
        nowMs,
        log,
        onMessage: metrics.message,
        onMinute: (data, agent) => metrics.minute(data, pricesOf(agent.birth, prices)),
        onAgentChanged(before, after) {
          const leaving = (agent: AgentState | undefined) =>
            agent?.presence?.status !== "online" || agent.presence.role === "draining";
          if (!leaving(before) && leaving(after)) {
            if (after.presence?.status === "online") log.info({ agentId: after.agentId }, "an agent is draining");
            else log.warn({ agentId: after.agentId }, "an agent is offline");
            void decide();
          } else if (leaving(before) && !leaving(after)) {
            log.info({ agentId: after.agentId, url: after.presence?.url }, "an agent is online");
          }
        },
      });

      const trim = async () => {
        const removed = await store.pruneToSize(retention.maxBytes);
        if (removed === 0) return;
        trims.note(removed, nowMs());
        const { maxBytes } = retention;
        log.error({ removed, maxBytes }, "the store has reached retention.maxBytes: its oldest minutes were removed");
      };
      const clean = async () => {
        const now = nowMs();
        fleet.traffic.prune(now);
        accuracy.prune(now - retention.minutesMs);
        await store.pruneMinutes(now - retention.minutesMs, now);
        await store.pruneSetAside(now - retention.minutesMs, mostSetAside.inAll);
        await store.pruneDecisions(now - retention.decisionDays * dayMs, retention.mostDecisions, mostNotes);
        await trim();
      };
      await policy?.start();
      opened.push(() => policy?.stop());
      // What can't be removed now is looked at again in an hour.
      await clean().catch((error) => log.error({ err: describeError(error) }, "removing old records failed"));
      await desired.recover();
      await ingest.recover();
      machines.introduce();
      await forecaster.start();
      opened.push(() => forecaster.stop());
      ingest.start();
      createIdentityWatch({ fleetName: config.fleet, store, broker, nowMs, log }).start();
      const api: ApiParts = {
        fleetName: config.fleet,
        fleet,
        desired,
        loop,
        overrides,
        freeze,
        policy,
        store,
        counts,
        retirement,
        broker,
        prices,
        powerAssumptions: {
          tariffUsdPerKwh: config.cost.tariffUsdPerKwh,
          co2KgPerKwh: config.cost.co2KgPerKwh,
          targetUtilization: config.scaling.targetUtilization,
        },
        staleAfterMs,
        capacityPerReplicaQps: config.scaling.capacityPerReplicaQps,
        startedAtMs,
        nowMs,
      };
      const authenticator = createAuthenticator({ apiKeys, log });
      registerTotal(
        registry,
        "thormesh_wrong_api_keys_total",
        "Requests with a wrong API key",
        authenticator.wrongKeys,
      );
      const app = createHttpApp({
        about: {
          title: "thormesh controller",
          description:
            "The fleet, why it is as it is, and what it costs. Times are ms since the epoch by the controller's clock.",
          version,
        },
        authenticator,
        hostNames: config.api.allowedHosts,
        log,
        routes: [
          fleetRoutes(api),
          accuracyRoutes("fleet", accuracyOf),
          trafficRoutes(api),
          decisionRoutes(api),
          safetyRoutes(api),
          costRoutes(api),
          operationsRoutes(() => controllerHealth({ broker, counts, store, trims, damage }, nowMs()), registry),
        ],
      });
      const server = serveHttp(app, { host, port, log });
      opened.push(() => server.stop(1_000));

      // On every connection, as the broker may have lost what it retained: the documents first, then that somebody is there.
      broker.onConnection((connected) => {
        if (!connected) return;
        void (async () => {
          await desired.publishAll();
          await fleetBroker.announce();
        })().catch((error) => log.error({ err: describeError(error) }, "greeting the fleet failed"));
      });
      await fleetBroker.start();
      opened.push(() => fleetBroker.stop());

      const report = (what: string) => (error: unknown) => log.error({ err: describeError(error) }, `${what} failed`);
      const { intervalMs, offsetMs } = config.scaling;
      const deciding = runPeriodically(clock, intervalMs, () => loop.run(), report("deciding"), offsetMs);
      opened.push(() => deciding.stop());
      const cleaning = runPeriodically(
        clock,
        hourMs,
        async () => {
          await clean();
          await retirement.retireSilent();
        },
        report("removing old records"),
      );
      opened.push(() => cleaning.stop());
      const trimming = runPeriodically(
        clock,
        trimEachMs,
        async () => {
          await ingest.reconsider();
          await trim();
        },
        report("keeping the store's size"),
      );
      opened.push(() => trimming.stop());
      running = { url: server.url, brokerUrl: fleetBroker.url, stop: close };
      log.info(
        { url: server.url, brokerUrl: redactUrl(fleetBroker.url), fleet: config.fleet, stateDir },
        "controller started",
      );
    } catch (error) {
      await close();
      throw error;
    }
  };

  return {
    start,
    replaced: replaced.promise,
    stop() {
      standingBy.abort();
      const stopping = running;
      running = undefined;
      if (stopping !== undefined) stopped = stopping.stop().then(() => log.info("stopped"));
      return stopped;
    },
    get url() {
      return running?.url ?? "";
    },
    get brokerUrl() {
      return running?.brokerUrl ?? "";
    },
  };
}
