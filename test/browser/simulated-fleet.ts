import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseControllerConfig } from "#controller/check-config.ts";
import { Controller } from "#controller/controller.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { systemClock } from "#platform/clock.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { Birth, Desired, MinuteData, Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { eventually } from "../e2e/program.ts";
import {
  aBeat,
  aBirth,
  aForecast,
  aMinute,
  aModel,
  aPower,
  aPresence,
  aReported,
  aTraffic,
} from "../fakes/builders.ts";
import { freePort } from "../fakes/free-port.ts";
import { createMosquitto } from "../fakes/mosquitto.ts";

const fleetName = "default";
/** Age from which an agent counts as silent, and its minutes as old. */
const ageLimitMs = 3_600_000;
/** Agents that introduce themselves at the same time. */
const agentsAtOnce = 200;
const log = createLogger("test", "silent");

/** Forecasts that the newest rate rises a little, with quantiles of the peak. */
const risingForecaster: Forecaster = {
  async start() {},
  async stop() {},
  async forecast(history, nowMs) {
    const last = history.findLast(({ qps }) => qps !== null)?.qps ?? 0;
    const qps = Array.from({ length: 15 }, (_, minute) => last * (1 + minute / 60));
    const times = (factor: number) => qps.map((rate) => rate * factor);
    const peakQps = { q50: last * 1.25, q90: last * 1.45, q95: last * 1.55 };
    return aForecast(last, {
      ...{ madeAtMs: Math.round(nowMs), model: "naive", qps, qps90: times(1.15), qps95: times(1.22), peakQps },
    });
  },
  describe: () => ({ model: "naive", backend: "none", reason: "test" }),
};

/** Agent of a simulated fleet; its messages are as the builders make them, but for what a test gives. */
export interface SimulatedAgent {
  readonly id: string;
  readonly presence?: Partial<Presence>;
  readonly birth?: Partial<Birth>;
  /** Fields of each of its minutes. */
  readonly minute?: Partial<MinuteData>;
}

export interface FleetOptions {
  /** Default: six agents of two regions. */
  readonly agents?: readonly SimulatedAgent[];
  /** Minutes on record of each agent. Default: 90. */
  readonly historyMinutes?: number;
  /** Fills the controller's state directory before it starts. */
  readonly prepare?: (stateDir: string) => Promise<void>;
  /** Settings of the controller beside those that the simulation needs. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface SimulatedFleet {
  readonly url: string;
  readonly controller: Controller;
  /** Newest document of each agent. */
  readonly desired: ReadonlyMap<string, Desired>;
  /** Sends a message of an agent. */
  send(agentId: string, channel: "presence" | "birth" | "data" | "beat" | "reported", message: object): Promise<void>;
  /** Stops the controller. Its port and state are kept. */
  stopController(): Promise<void>;
  /** Starts it again where it was. */
  startController(): Promise<void>;
  close(): Promise<void>;
}

const boards = ["Jetson AGX Thor", "Jetson AGX Orin"] as const;
const regions = ["hall-1", "hall-2"] as const;

export const sixAgents: readonly SimulatedAgent[] = ["a", "b", "c", "d", "e", "f"].map((letter, index) => ({
  id: `thor-${letter}`,
  presence: { region: regions[index % 2] as string, role: index < 4 ? "active" : "standby" },
  birth: {
    region: regions[index % 2] as string,
    board: { ...aBirth().board, name: boards[index % 2] as string },
    tags: { rack: String(1 + (index % 3)) },
  },
}));

/** Texts per second of an agent in a minute: two waves of different length, so that charts show something. */
const rateAt = (minute: number, agent: number): number =>
  Math.round(60 + 25 * Math.sin(minute / 13) + 12 * Math.sin(minute / 4 + agent) + agent * 3);

function minuteOf(agent: SimulatedAgent, index: number, minuteStartMs: number, seq: number): MinuteData {
  const { id: agentId, presence, minute = {} } = agent;
  const role = presence?.role ?? "active";
  const rate = role === "active" ? rateAt(minuteStartMs / minuteMs, index) : 0;
  const traffic = aTraffic({ minuteStartMs, models: rate === 0 ? [] : [aModel("mini", rate * 60, rate * 100)] });
  const watts = 20 + rate * 0.3;
  const power = aPower({ energyJ: watts * 60, maxTemperatureC: 48 + rate / 10, gpuUtilization: rate / 120 });
  return aMinute({ agentId, seq, role, traffic, power, ...minute });
}

/** Resolves when the controller has stored the minute that was sent last. */
async function untilStored(url: string, key: string | undefined, minuteStartMs: number): Promise<void> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  await eventually(
    async () =>
      (await (await fetch(`${url}/api/v1/traffic?hours=1`, { headers })).json()) as {
        minutes: { minuteStartMs: number }[];
      },
    ({ minutes }) => minutes.some((each) => each.minuteStartMs === minuteStartMs),
  );
}

/**
 * Starts a controller with a broker of its own, and agents that say what agents say: they follow the documents that they get, and their minutes are
 * on record. Nothing is computed, so that a fleet costs a second of one core.
 */
export async function startSimulatedFleet(options: FleetOptions = {}): Promise<SimulatedFleet> {
  const { agents = sixAgents, historyMinutes = 90, config = {} } = options;
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-browser-"));
  await options.prepare?.(stateDir);
  const mosquitto = await createMosquitto();
  const port = await freePort();
  const {
    api = {},
    scaling = {},
    ingest = {},
    ...more
  } = config as {
    readonly api?: { readonly apiKeys?: string[] };
    readonly scaling?: object;
    readonly ingest?: object;
  };
  const settings = {
    ...{ stateDir, logLevel: "silent", broker: { url: mosquitto.url } },
    api: { port, ...api },
    // Agents speak once, and stay as they are however slow the machine is.
    scaling: { warmUpMs: 0, intervalMs: 1000, offsetMs: 0, minReplicas: 2, maxDataAgeMs: ageLimitMs, ...scaling },
    ingest: { staleAfterMs: ageLimitMs, ...ingest },
    ...more,
  };
  const start = async () => {
    const made = new Controller(parseControllerConfig(settings, "the test"), {
      ...{ log, clock: systemClock, forecaster: risingForecaster },
    });
    await made.start();
    return made;
  };
  let controller = await start();
  const fleetBroker = new MqttBroker({ url: mosquitto.url, clientId: "simulated-fleet", credentials: () => ({}) }, log);
  const desired = new Map<string, Desired>();
  const publish = (agentId: string, channel: Parameters<SimulatedFleet["send"]>[1], message: object) =>
    fleetBroker.publish(agentTopic(fleetName, agentId, channel), JSON.stringify(message), {
      retain: channel === "presence" || channel === "reported",
    });
  fleetBroker.subscribe(agentTopic(fleetName, "+", "desired"), ({ payload }) => {
    if (payload.byteLength === 0) return;
    const document = JSON.parse(new TextDecoder().decode(payload)) as Desired;
    const { agentId, version, role, powerMode } = document;
    desired.set(agentId, document);
    const reported = { agentId, desiredVersion: version, role, powerMode: powerMode ?? "MAXN", sentAtMs: Date.now() };
    // Not awaited: a handler must not wait for a publish.
    void publish(agentId, "reported", aReported(reported)).catch(() => undefined);
  });
  await fleetBroker.start();
  await eventually(
    async () => fleetBroker.connected,
    (connected) => connected,
  );
  const thisMinuteMs = Math.floor(Date.now() / minuteMs) * minuteMs;
  const introduce = async (agent: SimulatedAgent, index: number) => {
    const { id: agentId } = agent;
    const sentAtMs = Date.now();
    await publish(agentId, "presence", aPresence({ agentId, sentAtMs, ...agent.presence }));
    await publish(agentId, "birth", aBirth({ agentId, sentAtMs, ...agent.birth }));
    for (let seq = 1; seq <= historyMinutes; seq += 1)
      await publish(agentId, "data", minuteOf(agent, index, thisMinuteMs - (historyMinutes + 1 - seq) * minuteMs, seq));
    const role = agent.presence?.role ?? "active";
    await publish(agentId, "beat", aBeat({ agentId, role, sentAtMs }));
  };
  for (let from = 0; from < agents.length; from += agentsAtOnce)
    await Promise.all(agents.slice(from, from + agentsAtOnce).map((agent, index) => introduce(agent, from + index)));
  if (agents.length > 0 && historyMinutes > 0)
    await untilStored(controller.url, api.apiKeys?.[0], thisMinuteMs - minuteMs);
  return {
    url: controller.url,
    get controller() {
      return controller;
    },
    desired,
    send: publish,
    stopController: () => controller.stop(),
    async startController() {
      controller = await start();
    },
    async close() {
      await fleetBroker.stop();
      await controller.stop();
      await mosquitto.dispose();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
