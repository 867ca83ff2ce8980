import type { Forecaster } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import { openAccess } from "./access/open-access.ts";
import { assembleAlerts } from "./alerts/assemble-alerts.ts";
import { assembleController } from "./assemble-controller.ts";
import { createStandbyBroker } from "./broker/fleet-broker.ts";
import type { ControllerConfig } from "./config.ts";
import { createHoursFromLines } from "./cost/history/hours-from-lines.ts";
import { CostLedger } from "./cost/ledger/cost-ledger.ts";
import type { PriceSource } from "./cost/prices/price-source.ts";
import { loadServices } from "./cost/savings/load-services.ts";
import { openApiCertificate } from "./identity/api-certificate.ts";
import { openFleetIdentity } from "./identity/fleet-identity.ts";
import type { ControllerRecords } from "./open-records.ts";
import { serveControllerApi } from "./serve-api.ts";
import { NotLeadingError } from "./store/postgres/not-leading.ts";
import type { Lease, Store } from "./store/store.ts";

export interface StandByParts {
  readonly config: ControllerConfig;
  readonly stateDir: string;
  readonly records: ControllerRecords;
  readonly openPrices: () => PriceSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** Lease of the controller that leads, as it was seen last. */
  readonly leader: () => Lease | null;
}

/** A running API that only reads. */
export interface ReadOnlyApi {
  readonly url: string;
  stop(): Promise<void>;
}

/** A store that ignores what a controller stores while observing, because the leading one stores it. The server refuses everything else. */
function readingOnly(store: Store): Store {
  const nothing = async () => undefined;
  return {
    ...store,
    // Told as new, so that the view of the fleet is of now; a late record is in the store already.
    insertMinute: async ({ historical }) => (historical ? "repeat" : "new"),
    ...{ saveAgent: nothing, saveAgentFacts: nothing, saveKept: nothing, saveKeyUse: nothing, setAside: nothing },
    ...{ markUnrated: nothing, markAgentUnrated: nothing, saveTenantReceipt: nothing },
    pruneSetAside: async () => 0,
  };
}

const noForecaster: Forecaster = {
  async start() {},
  async stop() {},
  forecast: () => Promise.reject(new Error("a controller that stands by makes no forecasts")),
  describe: () => ({ model: "none", backend: "none", reason: "this controller stands by" }),
};

/** Serves what can be read of a fleet that another controller leads: from their store, and from what it hears at an external broker. */
export async function standBy(parts: StandByParts): Promise<ReadOnlyApi> {
  const { config, stateDir, records, openPrices, clock, log, leader } = parts;
  const store = readingOnly(records.store);
  const nowMs = () => clock.nowMs();
  const access = await openAccess(config, { store, nowMs, log, isLeading: false });
  const identity = await openFleetIdentity({
    ...{ fleet: config.fleet, stateDir, config: config.identity, store, log, isLeading: false, isShared: true },
    brokerAddress: () => ({ url: null, port: null, tls: false }),
    onRevoked: () => undefined,
  });
  const tls = await openApiCertificate(config.api, identity.authority, log);
  const fleetBroker = createStandbyBroker({ config, identity, log });
  const assembly = assembleController(config, {
    ...{ store, accuracy: await records.openAccuracy(), access, fleetBroker, clock, log, forecaster: noForecaster },
    lease: { isHeld: () => false },
    providers: [],
    certifiedRegion: (agentId) => identity.devices.certifiedRegion(agentId),
    ledger: new CostLedger({ store, prices: openPrices(), nowMs, retention: config.retention }),
  });
  const history = createHoursFromLines({ store, ledger: assembly.ledger, nowMs });
  const alerts = assembleAlerts({
    ...{ services: await loadServices(config.cost, nowMs()), openPrices },
    ...{ config, store, history, environment: process.env, clock, log },
    ...{ fleet: assembly.fleet, loop: assembly.loop, registry: assembly.registry },
    ...{ tenants: access.tenants, tenantShares: assembly.tenantShares, freeze: assembly.freeze },
  });
  const refresh = async () => {
    await access.keys.load();
    await access.tenants.load();
    await identity.tokens.recover();
    await identity.devices.recover();
    await assembly.tenantJobs.load();
    await assembly.freeze.recover();
    await assembly.desired.recover();
    await alerts.recover();
  };
  await refresh();
  await assembly.ingest.recover();
  await assembly.ledger.recover(assembly.fleet.agents().map(({ birth }) => birth));
  assembly.ingest.start();
  const served = serveControllerApi({
    ...{ config, log, clock, assembly: { ...assembly, alerts, history }, records: { ...records, store } },
    ...{ access, fleetBroker, identity, tls, openPrices, startedAtMs: nowMs() },
    standingBy: { leader: () => leader()?.apiUrl || null, refusal: () => new NotLeadingError(leader()), refresh },
  });
  await fleetBroker.start();
  log.info({ url: served.url, leader: leader()?.apiUrl }, "standing by: the API only reads");
  return {
    url: served.url,
    async stop() {
      await served.stop();
      await assembly.ingest.stop();
      await fleetBroker.stop();
      await alerts.stop();
      tls?.stop();
    },
  };
}
