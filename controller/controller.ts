import type { Forecaster } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import type { Logger } from "#platform/log.ts";
import { openAccess } from "./access/open-access.ts";
import type { Tenants } from "./access/tenants.ts";
import { assembleAlerts } from "./alerts/assemble-alerts.ts";
import { assembleController, type ControllerAssembly } from "./assemble-controller.ts";
import { createFleetBroker, type FleetBroker } from "./broker/fleet-broker.ts";
import { keptControllerId, sharedControllerId } from "./broker/kept-controller-id.ts";
import { assertControllerConfig } from "./check-config.ts";
import type { ControllerConfig } from "./config.ts";
import { type ControllerLease, createControllerLease, timesOfServer } from "./controller-lease.ts";
import { Baselines } from "./cost/baseline/baselines.ts";
import { createHoursFromLines } from "./cost/history/hours-from-lines.ts";
import { CostLedger } from "./cost/ledger/cost-ledger.ts";
import { configuredPrices, openPrices, type PriceSource } from "./cost/prices/price-source.ts";
import { loadServices } from "./cost/savings/load-services.ts";
import { IdentityWatch } from "./fleet/identity-watch.ts";
import { openApiCertificate } from "./identity/api-certificate.ts";
import { type FleetIdentity, openFleetIdentity } from "./identity/fleet-identity.ts";
import { loginOfAgents } from "./login-of-agents.ts";
import { type ControllerRecords, openConfiguredRecords } from "./open-records.ts";
import { startPeriodicTasks } from "./periodic-tasks.ts";
import { createProviders } from "./scaling/actuators/create-providers.ts";
import type { FleetPlanner } from "./scaling/fleet-plan/worker/fleet-planner.ts";
import { publicApiUrl, serveControllerApi } from "./serve-api.ts";
import { type ReadOnlyApi, standBy } from "./stand-by.ts";
import type { Lease } from "./store/store.ts";
import { StoreWatch } from "./store-watch.ts";

export interface ControllerParts {
  readonly log: Logger;
  readonly clock: Clock;
  /** Makes the fleet's forecast; started and stopped with the controller. */
  readonly forecaster: Forecaster;
  /** Solves fleet plans, with `scaling.policy: fleet-plan`; stopped with the controller. */
  readonly planner?: FleetPlanner;
}

/** Messages of different agents that are handled at once where the store is a server, which commits them together. */
const messagesAtServer = 256;
/** A controller, from its configuration. Nothing happens before `start`. */
export class Controller {
  readonly #config: ControllerConfig;
  readonly #parts: ControllerParts;
  readonly #standingBy = new AbortController();
  readonly #replaced = Promise.withResolvers<void>();
  /** Creates the prices of a report; the catalogue's once it has been read. */
  #openPrices: () => PriceSource = () => configuredPrices(this.#config.cost);
  /** Steps that stop what has been started so far, run in reverse order. */
  readonly #opened: (() => Promise<unknown> | unknown)[] = [];
  /** API that is served, of the leading controller or of one that is on standby. */
  #served: { readonly url: string } | undefined;
  #running: { readonly url: string; readonly brokerUrl: string } | undefined;
  #stopped: Promise<void> = Promise.resolve();

  constructor(config: ControllerConfig, parts: ControllerParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Resolves when another controller has taken over: this one has stopped deciding and is to be stopped. */
  get replaced(): Promise<void> {
    return this.#replaced.promise;
  }

  /** Base address of the API, once started or standing by at a shared store. */
  get url(): string {
    return this.#served?.url ?? "";
  }

  /** Address at which agents find the broker, once started. */
  get brokerUrl(): string {
    return this.#running?.brokerUrl ?? "";
  }

  /**
   * Resolves when API and broker listen and the fleet is being listened to; before that it is on standby while another controller acts on
   * the same store. Resolves without having started when it was stopped meanwhile.
   * @throws UsageError when a port is in use or an address needs a key that is not configured.
   */
  async start(): Promise<void> {
    assertControllerConfig(this.#config, "the controller's configuration");
    try {
      if (!(await this.#startParts())) await this.#close();
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /** Disconnects from the fleet, which continues without it. */
  stop(): Promise<void> {
    this.#standingBy.abort();
    if (this.#running !== undefined) {
      this.#running = undefined;
      this.#served = undefined;
      this.#stopped = this.#close().then(() => this.#parts.log.info("stopped"));
    }
    return this.#stopped;
  }

  async #close(): Promise<void> {
    for (const step of this.#opened.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        this.#parts.log.error({ err: describeError(error) }, "a part could not be stopped");
      }
    }
  }

  /** Starts everything; false when the controller was stopped while standing by. */
  async #startParts(): Promise<boolean> {
    const { log, clock, forecaster, planner } = this.#parts;
    const startedAtMs = clock.nowMs();
    const stateDir = this.#config.stateDir ?? defaultStateDir("controller", process.env);
    const records = await openConfiguredRecords({
      ...{ config: this.#config.store, stateDir, nowMs: startedAtMs, log, by: "controller" },
      signal: this.#standingBy.signal,
    });
    if (records === null) return false;
    this.#opened.push(() => records.store.close());
    const { store } = records;
    this.#openPrices = await openPrices(this.#config.cost.catalogue, this.#config.cost);
    const access = await openAccess(this.#config, { store, nowMs: () => clock.nowMs(), log, isLeading: true });
    const { isShared } = records;
    const lease = createControllerLease({
      ...{ store, isShared, log },
      ...(isShared ? { times: timesOfServer(this.#config.store.leaseMs) } : {}),
      apiUrl: () => publicApiUrl(this.#config.api, this.#served?.url ?? null),
      onLost: () => {
        // At once: at the broker nobody may take this one for the leading one.
        if (isShared) void fleetBroker.broker.stop();
        this.#replaced.resolve();
      },
    });
    if (!(await this.#acquire(lease, records, stateDir))) return false;
    this.#opened.push(() => lease.release());
    await access.keys.load();
    await access.tenants.load();
    const identity: FleetIdentity = await openFleetIdentity({
      ...{ fleet: this.#config.fleet, stateDir, config: this.#config.identity, store: records.store, log },
      ...{ isLeading: true, isShared },
      brokerAddress: () => fleetBroker.addressForDevices(),
      onRevoked: (agentId) => fleetBroker.disconnect(agentId),
    });
    const tls = await openApiCertificate(this.#config.api, identity.authority, log);
    this.#opened.push(() => tls?.stop());
    const fleetBroker: FleetBroker = createFleetBroker({
      config: this.#config,
      ...{ stateDir, identity },
      controllerId: isShared ? await sharedControllerId(store) : await keptControllerId(stateDir, log),
      ...(isShared ? { isLeading: () => lease.isHeld() } : {}),
      environment: process.env,
      nowMs: () => clock.nowMs(),
      log,
      onReplaced: () => this.#replaced.resolve(),
    });
    if (!(await fleetBroker.awaitSole(this.#standingBy.signal))) return false;
    const providers = createProviders(this.#config, {
      stateDir,
      log,
      broker: () => loginOfAgents(this.#config, fleetBroker),
    });
    const assembly = assembleController(this.#config, {
      ...{ store, accuracy: await records.openAccuracy(), access, lease, fleetBroker, seals: identity.seals },
      ...{ providers, forecaster, clock, log },
      ...(isShared ? { messagesAtOnce: messagesAtServer } : {}),
      certifiedRegion: (agentId) => identity.devices.certifiedRegion(agentId),
      ledger: new CostLedger({
        ...{ store, prices: this.#openPrices(), nowMs: () => clock.nowMs() },
        retention: this.#config.retention,
      }),
      ...(planner === undefined ? {} : { planner }),
    });
    if (planner !== undefined) this.#opened.push(() => planner.stop());
    this.#opened.push(
      () => assembly.machines.stop(),
      () => assembly.loop.stop(),
      () => assembly.urgent.stop(),
    );
    const { alerts, history } = await this.#openAlerts(assembly, records, access.tenants);
    await this.#recover(assembly);
    await assembly.quotas.load();
    assembly.ingest.start();
    this.#opened.push(() => assembly.ingest.stop());
    new IdentityWatch({
      ...{ fleetName: this.#config.fleet, store: records.store, broker: fleetBroker.broker, log },
      nowMs: () => clock.nowMs(),
    }).start();
    const { url, stop } = serveControllerApi({
      standingBy: null,
      ...{ config: this.#config, log, clock, assembly: { ...assembly, alerts, history } },
      ...{ records, access, fleetBroker, identity, tls, openPrices: this.#openPrices, startedAtMs },
    });
    this.#opened.push(stop);
    this.#served = { url };
    await this.#connect(assembly, fleetBroker);
    if (records.isShared) {
      const announce = () => fleetBroker.announceStore();
      const watch = new StoreWatch({ store: records.store, counts: assembly.counts, announce, log });
      this.#opened.push(() => watch.stop());
    }
    this.#opened.push(...startPeriodicTasks(assembly, alerts, { scaling: this.#config.scaling, log, clock }));
    const { url: brokerUrl } = fleetBroker;
    this.#running = { url, brokerUrl };
    log.info({ url, brokerUrl: redactUrl(brokerUrl), fleet: this.#config.fleet, stateDir }, "controller started");
    return true;
  }

  /** Opens alerts and budgets, which also tell the assembly what to spend and what to erase. */
  async #openAlerts(assembly: ControllerAssembly, { store }: ControllerRecords, tenants: Tenants) {
    const { log, clock } = this.#parts;
    const history = createHoursFromLines({ store, ledger: assembly.ledger, nowMs: () => clock.nowMs() });
    const services = await loadServices(this.#config.cost, clock.nowMs());
    const alerts = assembleAlerts({
      ...{ services, openPrices: this.#openPrices },
      ...{ config: this.#config, store, history, environment: process.env, clock, log },
      ...{ fleet: assembly.fleet, loop: assembly.loop, registry: assembly.registry },
      ...{ tenants, tenantShares: assembly.tenantShares, freeze: assembly.freeze },
    });
    await alerts.recover();
    assembly.tenantData.alsoErase([
      (tenant) => alerts.budgets.removeOf(tenant),
      (tenant) => alerts.ceilings.forgetTenant(tenant),
      (tenant) => alerts.monitor.forgetTenant(tenant),
      (tenant) => new Baselines({ store, history }).eraseTenant(tenant),
    ]);
    assembly.spending.follow(() => alerts.budgets.latest());
    this.#opened.push(() => alerts.stop());
    return { alerts, history };
  }

  /** Waits for the lease, of a shared store with an API that only reads. False when the controller was stopped meanwhile. */
  async #acquire(lease: ControllerLease, records: ControllerRecords, stateDir: string): Promise<boolean> {
    const { log, clock } = this.#parts;
    const stopping = new AbortController();
    const signal = AbortSignal.any([this.#standingBy.signal, stopping.signal]);
    const wrong = Promise.withResolvers<never>();
    let leader: Lease | null = null;
    let opening: Promise<ReadOnlyApi | null> | null = null;
    const open = async (): Promise<ReadOnlyApi | null> => {
      const given = { config: this.#config, stateDir, records, openPrices: this.#openPrices, clock, log };
      try {
        const api = await standBy({ ...given, leader: () => leader });
        this.#served = { url: api.url };
        return api;
      } catch (error) {
        if (error instanceof UsageError) wrong.reject(error);
        else log.warn({ err: describeError(error) }, "the API can't be opened yet");
        opening = null;
        return null;
      }
    };
    const waiting = lease.acquire(signal, (other) => {
      leader = other;
      if (records.isShared) opening ??= open();
    });
    try {
      return await Promise.race([waiting, wrong.promise]);
    } finally {
      stopping.abort();
      await (await (opening as Promise<ReadOnlyApi | null> | null))?.stop();
      this.#served = undefined;
    }
  }

  /** Restores what an earlier run knew, and starts the parts that decisions rest on. */
  async #recover(assembly: ControllerAssembly): Promise<void> {
    const { log, forecaster } = this.#parts;
    const { freeze, rollout, policy, housekeeping, desired, ingest, machines, ledger, fleet, tenantJobs } = assembly;
    await freeze.recover();
    await rollout.recover();
    await tenantJobs.load();
    await policy?.start();
    this.#opened.push(() => policy?.stop());
    // What can't be removed now is tried again in an hour.
    await housekeeping
      .clean()
      .catch((error) => log.error({ err: describeError(error) }, "removing old records failed"));
    await desired.recover();
    await ingest.recover();
    await ledger.recover(fleet.agents().map(({ birth }) => birth));
    machines.introduce();
    await forecaster.start();
    this.#opened.push(() => forecaster.stop());
  }

  /** Connects to the broker, and greets the fleet on every connection. */
  async #connect({ desired, peerList }: ControllerAssembly, fleetBroker: FleetBroker): Promise<void> {
    const { log } = this.#parts;
    const greet = async () => {
      // The broker may have lost what it retained: the documents first, then that a controller is online.
      await desired.publishAll();
      await peerList.publish(true);
      await fleetBroker.announce();
    };
    fleetBroker.broker.onConnection((connected) => {
      if (connected)
        void greet().catch((error) => log.error({ err: describeError(error) }, "greeting the fleet failed"));
    });
    await fleetBroker.start();
    this.#opened.push(() => fleetBroker.stop());
  }
}
