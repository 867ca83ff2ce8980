import { hostname } from "node:os";
import { join } from "node:path";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { describeError, type ServiceError } from "#platform/errors.ts";
import { registerGauge, registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { createHttpApp, type HttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { warnOfPlainText } from "#platform/http/guard/listen-address.ts";
import { neededRole } from "#platform/http/guard/roles.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import { sessionRoutes } from "#platform/http/session/session-routes.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import type { Logger } from "#platform/log.ts";
import { runPeriodically } from "#platform/periodic.ts";
import { watchOpenFiles } from "#platform/process/open-files.ts";
import { minuteMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import { AccessPublisher } from "./access/access-publisher.ts";
import { type ControllerAccess, keepAccessFresh } from "./access/open-access.ts";
import type { Alerts } from "./alerts/assemble-alerts.ts";
import { backtestRoutes } from "./api/acting/backtest-routes.ts";
import { overrideRoutes } from "./api/acting/override-routes.ts";
import { policyRoutes } from "./api/acting/policy-routes.ts";
import { historyRoutes } from "./api/agents/history-routes.ts";
import { meshRoutes } from "./api/agents/mesh-routes.ts";
import { allocationRoutes } from "./api/allocation-routes.ts";
import type { ApiParts } from "./api/api-parts.ts";
import { auditRoutes } from "./api/audit-routes.ts";
import { controllerHealth } from "./api/controller-health.ts";
import { costRoutes } from "./api/cost-routes.ts";
import { decisionRoutes } from "./api/decision-routes.ts";
import { financeRoutes } from "./api/finance/finance-routes.ts";
import { fleetRoutes } from "./api/fleet-routes.ts";
import { forecastOverviewRoutes } from "./api/forecast/forecast-routes.ts";
import { identityRoutes } from "./api/identity-routes.ts";
import { keyRoutes } from "./api/key-routes.ts";
import { operationsRoutes } from "./api/operations-routes.ts";
import { targetRoutes } from "./api/prometheus/target-routes.ts";
import { safetyRoutes } from "./api/safety-routes.ts";
import type { Health } from "./api/schemas.ts";
import { sloRoutes } from "./api/slo-routes.ts";
import { tenantRoutes } from "./api/tenant-routes.ts";
import { trafficRoutes } from "./api/traffic-routes.ts";
import type { ControllerAssembly } from "./assemble-controller.ts";
import type { FleetBroker } from "./broker/fleet-broker.ts";
import { clientFiles } from "./client-files.ts";
import type { ControllerConfig } from "./config.ts";
import type { CostHistory } from "./cost/history/cost-history.ts";
import type { PriceSource } from "./cost/prices/price-source.ts";
import { createTariffNotice } from "./cost/prices/tell-tariffs.ts";
import { agentListRoutes } from "./dashboard/agent-list-routes.ts";
import { createDashboard } from "./dashboard/create-dashboard.ts";
import { dashboardRoutes } from "./dashboard/dashboard-routes.ts";
import { fleetHistoryRoutes } from "./dashboard/history-routes.ts";
import { streamRoutes } from "./dashboard/stream-routes.ts";
import { withRecentMinutes } from "./fleet/traffic/fleet-traffic.ts";
import type { FleetIdentity } from "./identity/fleet-identity.ts";
import { registerIdentityMetrics } from "./identity/identity-metrics.ts";
import { controllerDoorName, openControllerDoor } from "./local/controller-door.ts";
import type { ControllerRecords } from "./open-records.ts";
import { configRoutes } from "./privacy/config-routes.ts";
import { TenantExport } from "./privacy/tenant-export.ts";
import { tenantJobRoutes } from "./privacy/tenant-job-routes.ts";
import { rolloutRoutes } from "./rollout/rollout-routes.ts";

export interface ServedParts {
  readonly config: ControllerConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly assembly: ControllerAssembly & { readonly alerts: Alerts; readonly history: CostHistory };
  readonly records: Pick<ControllerRecords, "store" | "damage">;
  readonly access: ControllerAccess;
  readonly fleetBroker: Pick<FleetBroker, "broker"> & { readonly url?: string };
  readonly identity: FleetIdentity;
  /** Certificate of the API; undefined: it does not encrypt. */
  readonly tls: ServerCertificate | undefined;
  /** Creates the prices of a report. */
  readonly openPrices: () => PriceSource;
  readonly startedAtMs: number;
  /** Controller that this one waits for; null: this one leads. */
  readonly standingBy: StandingBy | null;
}

/** Terms of an API that only reads. */
export interface StandingBy {
  /** Address of the leading controller's API; null: unknown. */
  readonly leader: () => string | null;
  readonly refusal: () => ServiceError;
  /** Reads again what the leading controller may have changed. */
  readonly refresh: () => Promise<void>;
}

const openFilesPeriodMs = 5_000;
const stopWithinMs = 1_000;
/** Time after a minute's end at which its figures are kept: the records have come. */
const figuresAfterMs = 20_000;
const readAgainEachMs = 3_000;

/** Address under which others reach the API: the configured one, else by this machine's name where it listens on all addresses. */
export function publicApiUrl({ host, publicUrl }: ControllerConfig["api"], url: string | null): string {
  if (publicUrl !== null || url === null) return publicUrl ?? "";
  const { protocol, port } = new URL(url);
  return ["0.0.0.0", "::"].includes(host) ? `${protocol}//${hostname()}:${port}` : url;
}

type Routes = Parameters<typeof createHttpApp>[0]["routes"];

function routesOf(
  {
    config,
    clock,
    assembly,
    records,
    access,
    fleetBroker,
    identity,
    tls,
    openPrices,
    startedAtMs,
    standingBy,
  }: ServedParts,
  publisher: AccessPublisher,
  openFiles: ReturnType<typeof watchOpenFiles>,
  isAllowed: (request: Request) => boolean | Promise<boolean>,
): { readonly routes: Routes; readonly parts: ApiParts; readonly health: () => Health } {
  const { store, damage } = records;
  const { broker } = fleetBroker;
  const { cost, scaling, ingest, fleet: fleetName } = config;
  const { audit, counts, housekeeping, registry, tenantJobs: jobs } = assembly;
  const { tariffUsdPerKwh, co2KgPerKwh, timeZone } = cost;
  const nowMs = () => clock.nowMs();
  const shared = {
    ...assembly,
    store: withRecentMinutes(store, assembly.fleet.traffic, nowMs),
    ...{ fleetName, broker, startedAtMs, timeZone, nowMs, openPrices },
    powerAssumptions: { tariffUsdPerKwh, co2KgPerKwh, targetUtilization: scaling.targetUtilization },
    staleAfterMs: ingest.staleAfterMs,
    ...{ capacityPerReplicaQps: scaling.capacityPerReplicaQps, horizonMinutes: scaling.horizonMinutes },
  };
  const leader = standingBy === null ? {} : { leader: standingBy.leader };
  const parts: ApiParts = { ...shared, ...createDashboard({ ...shared, ...leader, registry, config, isAllowed }) };
  const looked = {
    broker,
    counts,
    store,
    housekeeping,
    damage,
    agents: parts.fleet.agents,
    openFiles,
    audit,
    tls,
    standingBy,
  };
  const health = () => controllerHealth(looked, nowMs());
  const routes = [
    dashboardRoutes(),
    fleetRoutes(parts),
    agentListRoutes(parts),
    streamRoutes(parts),
    fleetHistoryRoutes(parts),
    historyRoutes(parts),
    meshRoutes(parts),
    identityRoutes(identity, audit),
    accuracyRoutes("fleet", assembly.accuracyOf),
    forecastOverviewRoutes(parts),
    trafficRoutes(parts),
    decisionRoutes(parts),
    overrideRoutes(parts),
    backtestRoutes({ ...parts, jobs: assembly.backtests, scaling, livePolicy: assembly.policy }),
    policyRoutes({ ...parts, livePolicy: assembly.policy, previewer: assembly.previewer }),
    safetyRoutes(parts),
    rolloutRoutes(assembly.rollout, audit),
    costRoutes(parts),
    allocationRoutes(parts),
    financeRoutes(
      parts,
      config,
      (tenant) => access.tenants.list().find(({ id }) => id === tenant)?.settings.costCentre ?? null,
    ),
    sloRoutes(parts),
    targetRoutes(parts),
    keyRoutes(access, publisher, audit),
    tenantRoutes({ ...access, jobs, publisher, audit, ceilings: assembly.alerts.ceilings }),
    tenantJobRoutes({ jobs, publisher, audit, contents: new TenantExport({ ...access, store, nowMs }) }),
    auditRoutes(store),
    configRoutes(config, config.stateDir ?? defaultStateDir("controller", process.env)),
    operationsRoutes(health, registry),
  ];
  return { routes, parts, health };
}

/** Opens the controller's HTTP API. */
export function serveControllerApi(served: ServedParts): { readonly url: string; stop(): Promise<void> } {
  const { config, log, clock, assembly, records, access, fleetBroker, identity, tls, standingBy } = served;
  const { broker } = fleetBroker;
  const { api, fleet: fleetName } = config;
  const { registry, tenantShares, quotas, tenantJobs } = assembly;
  const openFiles = watchOpenFiles(clientFiles(config), log);
  const authenticator = createAuthenticator({
    ...{ apiKeys: api.apiKeys, issued: access.issued, log },
    rights: { role: "admin", name: "a configured key" },
  });
  registerTotal(registry, "thormesh_wrong_api_keys_total", "Requests with a wrong API key", authenticator.wrongKeys);
  const publisher = new AccessPublisher({
    ...{ ...access, fleetName, broker, store: records.store, nowMs: () => clock.nowMs(), log },
    ...{ seals: identity.seals, shares: tenantShares, quotas, jobs: () => tenantJobs.told() },
    ...{ devices: identity.devices, ceilings: assembly.alerts.ceilings },
    tariffs: createTariffNotice({
      ...{ prices: served.openPrices(), births: () => assembly.fleet.agents().map(({ birth }) => birth) },
      ...{ nowMs: () => clock.nowMs(), log },
    }),
  });
  assembly.alerts.ceilings.follow((bytes) => publisher.hasRoom(bytes));
  if (standingBy === null) broker.onConnection((connected) => void (connected && publisher.publish(true)));
  registerGauge(registry, "thormesh_controller_leads", "1: this controller leads; 0: it stands by", () =>
    standingBy === null ? 1 : 0,
  );
  registerIdentityMetrics(registry, () => identity.devices.list());
  // Asked again while a stream is open: keys are revoked, and sessions end.
  const isAllowed = async (request: Request) => (await app.guardRequest(request, () => null)).kind === "pass";
  const { routes, parts, health } = routesOf(served, publisher, openFiles, isAllowed);
  const app: HttpApp = createHttpApp({
    about: {
      title: "thormesh controller",
      description:
        "The fleet, the reasons for its state, and its cost. Times are ms since the epoch by the controller's clock.",
      version,
    },
    authenticator,
    hostNames: api.allowedHosts,
    roleOf: neededRole,
    log,
    encrypted: tls !== undefined,
    sessions: access.sessions,
    routes: [sessionRoutes({ authenticator, sessions: access.sessions, encrypted: tls !== undefined, log }), ...routes],
    ...(standingBy === null ? {} : { refuseChanges: standingBy.refusal }),
  });
  warnOfPlainText("api", api.host, tls !== undefined, log);
  const server = serveHttp(app, { host: api.host, port: api.port, log, tls });
  const refreshing =
    standingBy === null
      ? keepAccessFresh(access, publisher, tenantJobs, log)
      : runPeriodically(systemClock, readAgainEachMs, standingBy.refresh, (error) =>
          log.warn({ err: describeError(error) }, "the store can't be read again"),
        );
  const { watch, fleetHistory } = parts;
  const takeFigures = () => {
    watch.look();
    fleetHistory.take(watch.figures, clock.nowMs());
  };
  const remembering = runPeriodically(
    ...([clock, minuteMs, takeFigures] as const),
    (error) => log.warn({ err: describeError(error) }, "the fleet's figures of a minute can't be kept"),
    figuresAfterMs,
  );
  const looking = setInterval(() => openFiles.look(), openFilesPeriodMs).unref();
  const door = openControllerDoor({
    path: join(config.stateDir ?? defaultStateDir("controller", process.env), controllerDoorName),
    api: parts,
    about: () => ({ url: server.url, brokerUrl: fleetBroker.url ?? config.broker.url, problems: health().problems }),
    log,
  });
  return {
    url: server.url,
    async stop() {
      clearInterval(looking);
      await door.stop();
      parts.streams.stop();
      await remembering.stop();
      await refreshing.stop();
      await assembly.backtests.stop();
      await server.stop(stopWithinMs);
    },
  };
}
