import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentList } from "#controller/api/schemas.ts";
import { authorityFiles } from "#controller/identity/fleet-authority.ts";
import type { ClockConfig } from "#platform/clock.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { type Program, startConfigured } from "../../test/e2e/program.ts";
import { agentLogin, keyIn, type Login, observerLogin } from "../../test/fakes/broker-clients.ts";
import { freePort } from "../../test/fakes/free-port.ts";
import { createMosquitto, type Mosquitto } from "../../test/fakes/mosquitto.ts";
import { createPostgres, type Postgres } from "../../test/fakes/postgres.ts";
import { copyRecords } from "./copy-records.ts";
import { type FaultyLink, openFaultyLink } from "./faulty-link.ts";
import { type OrderRecord, recordOrders } from "./record-orders.ts";

export interface FleetSettings {
  readonly directory: string;
  readonly agents: number;
  readonly broker: "embedded" | "mosquitto";
  /** Place of the controller's records. */
  readonly store: "sqlite" | "postgres";
  readonly clock: ClockConfig;
  /** Directory of an agent's or the controller's records, by its name, where it is not below `directory`. */
  readonly stateDirs?: Readonly<Record<string, string>>;
}

/** The fleet's limits, of which no decision may break. */
export const replicaLimits = { minReplicas: 1, maxReplicas: 2 } as const;
export const fleetName = "chaos";
const controllerName = "controller";
/** Name of the server with the controller's records, among the processes that are killed. */
export const serverName = "postgres";

type Status = {
  readonly outbox: { readonly entries: number };
  readonly controllerOnline: boolean;
  readonly role: string;
  readonly peers: readonly unknown[];
};

/** Process ids of a process' children, as long as it lives. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

async function ask<T>(url: string): Promise<T | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5 * secondMs) });
    return response.ok ? ((await response.json()) as T) : null;
  } catch {
    return null;
  }
}

/** Real agents and a real controller as separate processes, each agent behind a link that can fail, with requests that never end. */
export class FaultFleet {
  readonly agentIds: readonly string[];
  readonly links = new Map<string, FaultyLink>();
  /** Boots whose clock was wrong: they live through minutes that others had, or will have. */
  readonly wrongClocks = new Set<string>();
  readonly #settings: FleetSettings;
  readonly #programs = new Map<string, Program>();
  readonly #urls = new Map<string, string>();
  #mosquitto: Mosquitto | null = null;
  #postgres: Postgres | null = null;
  #record: OrderRecord | null = null;
  #apiPort = 0;
  #brokerPort = 0;
  #asking: ReturnType<typeof setInterval> | undefined;
  #asked = 0;

  constructor(settings: FleetSettings) {
    this.#settings = settings;
    this.agentIds = Array.from({ length: settings.agents }, (_, index) => `thor-${index + 1}`);
  }

  stateDirOf(name: string): string {
    return this.#settings.stateDirs?.[name] ?? join(this.#settings.directory, name);
  }

  get databaseOfController(): string {
    return join(this.stateDirOf(controllerName), "controller.db");
  }

  /** True when the controller's records are at a server. */
  get hasServer(): boolean {
    return this.#settings.store === "postgres";
  }

  /** Processes of the server, the one that starts the others first. */
  serverPids(): number[] {
    const pid = this.#postgres?.pid;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }

  /** Path of a database with the controller's records, once it has stopped. */
  async recordsOfController(): Promise<string> {
    if (this.#postgres === null) return this.databaseOfController;
    const path = join(this.#settings.directory, "records.db");
    await copyRecords(this.#postgres.url, fleetName, path);
    return path;
  }

  get brokerPort(): number {
    return this.#brokerPort;
  }

  /** True for the broker inside the controller. */
  get hasOwnBroker(): boolean {
    return this.#settings.broker === "embedded";
  }

  /** Orders that have passed the broker since the start. */
  get record(): Pick<OrderRecord, "orders" | "unreadable"> {
    return this.#record ?? { orders: [], unreadable: [] };
  }

  /** Login of an observer who may read everything. */
  observerLogin(): Partial<Login> {
    return this.hasOwnBroker ? observerLogin(fleetName, keyIn(this.stateDirOf(controllerName))) : {};
  }

  /** Login of a device. */
  deviceLogin(agentId: string): Partial<Login> {
    return this.hasOwnBroker ? agentLogin(agentId, fleetName, keyIn(this.stateDirOf(controllerName))) : {};
  }

  /** Connections that the controller's own broker has ended since its start because they did not read. */
  async slowReaders(): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#apiPort}/metrics`);
    const line = /^thormesh_broker_dropped_total\{reason="slow-reader"\} (\d+)/m.exec(await response.text());
    return Number(line?.[1] ?? 0);
  }

  pidOf(name: string): number {
    return name === "broker"
      ? (this.#mosquitto?.pid ?? this.pidOf(controllerName))
      : (this.#programs.get(name)?.child.pid ?? 0);
  }

  async start(): Promise<void> {
    const { broker, store } = this.#settings;
    if (broker === "mosquitto") this.#mosquitto = await createMosquitto();
    // With its own settings: what it has confirmed must be there after a kill.
    if (store === "postgres") this.#postgres = await createPostgres([]);
    this.#apiPort = await freePort();
    this.#brokerPort = this.#mosquitto?.port ?? (await freePort());
    await this.startController();
    this.#record = await recordOrders(this.#brokerPort, fleetName, this.observerLogin());
    for (const agentId of this.agentIds) this.links.set(agentId, await openFaultyLink(this.#brokerPort));
    await Promise.all(this.agentIds.map((agentId) => this.startAgent(agentId)));
    this.#asking = setInterval(() => void this.#askAgents(), 250);
  }

  async startController(name = controllerName): Promise<void> {
    const { directory, broker, clock } = this.#settings;
    /** At least as long in the fleet's time, and in real time. */
    const both = (fleetMs: number, realMs: number) => Math.round(Math.max(fleetMs, realMs * clock.speed));
    const isFirst = name === controllerName;
    // At a server each controller has a directory of its own, and the fleet's authority is copied into it.
    const stateDir = this.stateDirOf(isFirst || !this.hasServer ? controllerName : name);
    if (stateDir !== this.stateDirOf(controllerName)) {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      for (const file of Object.values(authorityFiles))
        copyFileSync(join(this.stateDirOf(controllerName), file), join(stateDir, file));
    }
    const program = await startConfigured(
      "controller",
      {
        ...{ fleet: fleetName, stateDir, clock },
        ...(this.#postgres === null ? {} : { store: { url: this.#postgres.url, schema: fleetName } }),
        api: { host: "127.0.0.1", port: isFirst ? this.#apiPort : 0 },
        broker:
          broker === "mosquitto"
            ? { url: this.#mosquitto?.url }
            : { host: "127.0.0.1", port: this.#brokerPort, shareKey: false },
        ingest: {
          staleAfterMs: both(3 * minuteMs, 15 * secondMs),
          rebirthIntervalMs: both(minuteMs, secondMs),
        },
        scaling: {
          ...replicaLimits,
          intervalMs: minuteMs,
          warmUpMs: 0,
          maxDataAgeMs: both(3 * minuteMs, 10 * secondMs),
          confirmWithinMs: both(2 * minuteMs, 15 * secondMs),
          stabilizationMs: 10 * minuteMs,
        },
      },
      directory,
      { name },
    );
    this.#programs.set(name, program);
    if (isFirst) await program.untilLogged('"controller started"');
  }

  /** @param stepMs by which its clock is wrong from now on */
  async startAgent(agentId: string, stepMs = 0): Promise<void> {
    const { directory, broker } = this.#settings;
    const clock = { ...this.#settings.clock, startMs: this.#settings.clock.startMs + stepMs };
    const program = await startConfigured(
      "agent",
      {
        ...{ fleet: fleetName, id: agentId, stateDir: this.stateDirOf(agentId), clock },
        broker: {
          url: `mqtt://127.0.0.1:${this.links.get(agentId)?.port}`,
          ...(broker === "embedded" ? { keyFile: join(this.stateDirOf(controllerName), "broker.key") } : {}),
        },
        serving: { host: "127.0.0.1", port: 0, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
        power: { board: "none" },
      },
      directory,
      { name: agentId },
    );
    this.#programs.set(agentId, program);
    // Not until it is ready: one that is on standby never is.
    const started = JSON.parse(await program.untilLogged('"agent started"')) as { url: string; bootId: string };
    this.#urls.set(agentId, started.url);
    if (stepMs !== 0) this.wrongClocks.add(started.bootId);
  }

  /** Ends a process; the broker is Mosquitto, or the controller that it is in. */
  async kill(name: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (name === serverName) await this.#postgres?.stop(signal);
    else if (name === "broker" && this.#mosquitto !== null) await this.#mosquitto.stop(signal);
    else await this.#programs.get(name === "broker" ? controllerName : name)?.stop(signal);
  }

  /** Starts again what was ended, or what has ended by itself since. */
  async restart(name: string): Promise<void> {
    if (name === serverName) await this.#postgres?.start();
    else if (name === "broker" && this.#mosquitto !== null) await this.#mosquitto.start();
    else if (name === "broker" || name === controllerName) await this.startController();
    else await this.startAgent(name);
  }

  /** Reason why the fleet has not recovered; null once it has: all serve, all is stored, and the controller knows of all. */
  async trouble(): Promise<string | null> {
    const base = `http://127.0.0.1:${this.#apiPort}`;
    const list = await ask<typeof AgentList.static>(`${base}/api/v1/agents`);
    if (list === null) return "the controller's API does not answer";
    for (const agentId of this.agentIds) {
      const status = await ask<Status>(`${this.#urls.get(agentId)}/api/v1/status`);
      if (status === null) return `${agentId} does not answer`;
      if (!status.controllerOnline) return `${agentId} knows of no controller`;
      if (status.outbox.entries > 2) return `${agentId} keeps ${status.outbox.entries} minutes`;
      const view = list.agents.find((each) => each.agentId === agentId);
      if (view?.status !== "online") return `${agentId} is ${view?.status ?? "unknown"} for the controller`;
      if (status.role === "standby" && this.agentIds.length > 1 && status.peers.length === 0)
        return `${agentId} stands by and knows of no peer`;
    }
    const active = list.agents.filter(({ role }) => role.desired === "active").length;
    if (active < replicaLimits.minReplicas || active > replicaLimits.maxReplicas) return `${active} are to be active`;
    const health = await ask<{ problems: readonly string[] }>(`${base}/healthz`);
    return health?.problems.find((each) => /can't be stored/.test(each)) ?? null;
  }

  logOf(name: string): string {
    return this.#programs.get(name)?.log() ?? "";
  }

  /** Ends agents in order, then what stored their last minutes. */
  async stop(): Promise<void> {
    clearInterval(this.#asking);
    await Promise.all(this.agentIds.map((agentId) => this.#programs.get(agentId)?.stop("SIGTERM")));
    await Bun.sleep(secondMs);
    for (const [name, program] of this.#programs) if (!this.agentIds.includes(name)) await program.stop("SIGTERM");
  }

  async dispose(): Promise<void> {
    clearInterval(this.#asking);
    for (const program of this.#programs.values()) {
      program.child.kill("SIGCONT");
      await program.stop("SIGKILL");
    }
    for (const link of this.links.values()) link.stop();
    await this.#record?.stop();
    await this.#mosquitto?.dispose();
    await this.#postgres?.dispose();
  }

  async #askAgents(): Promise<void> {
    await Promise.all(
      [...this.#urls.values()].map((url) => {
        this.#asked += 1;
        const body = JSON.stringify({ inputs: [`conveyor ${this.#asked} stands still`] });
        return fetch(`${url}/api/v1/embed`, { method: "POST", body, signal: AbortSignal.timeout(5 * secondMs) })
          .then((response) => response.arrayBuffer())
          .catch(() => undefined);
      }),
    );
  }
}
