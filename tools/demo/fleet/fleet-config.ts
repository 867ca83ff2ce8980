import { join } from "node:path";
import type { AgentConfig } from "#agent/config.ts";
import type { ControllerConfig } from "#controller/config.ts";
import type { ClockConfig } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import { secondActSpeed } from "#tools/demo/second-act.ts";
import type { ApiShape } from "#tools/demo/traffic/send-embedding.ts";
import { promised } from "#tools/demo/traffic/service-record.ts";
import { referenceOffers, referencePrices } from "#tools/mesh/reference-offers.ts";
import type { DemoBoard } from "./demo-fleet.ts";

/** Configuration without the values that are defaults. */
type Partially<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> }
    : T;

const fleet = "demo";

export interface FleetSettings {
  readonly directory: string;
  readonly clock: ClockConfig;
  /** Factor for capacities and thresholds in texts per second. */
  readonly capacityScale: number;
  /** Start of the second act on the fleet's clock. */
  readonly slowFromMs: number;
  readonly controllerPort: number;
  readonly brokerPort: number;
  /** File with the secret by which agents know each other, so that boards tell tenants apart; absent: there is none. */
  readonly meshKeyFile?: string;
  /** Key of the controller's API. */
  readonly apiKey: string;
}

interface DemoTenant {
  readonly tenant: string;
  readonly key: string;
  readonly shape: ApiShape;
}

/** Tenants whose clients ask the entry, with their keys there: a shop and its search, by the two APIs. */
export const demoTenants = [
  { tenant: "shop", key: "demo-key-of-shop", shape: "native" },
  { tenant: "search", key: "demo-key-of-search", shape: "openai" },
] as const satisfies readonly [DemoTenant, ...DemoTenant[]];
/** Key by which the demo, and who looks on, reads what the entry tells. */
export const viewerKey = "demo-key-to-look-on";

/** Agent at which all requests enter. */
export const entryId = "entry";

/** Capacity of an agent and thresholds of the power policy in a full-size fleet, requests per second. */
const fullSize = { capacityPerReplicaQps: 350, highQps: 300, lowQps: 100 } as const;

/**
 * Minutes without a peak before the fleet steps down. The trace is of a small server, whose single minutes differ by a third from the quarter of an
 * hour around them: a fleet that steps down sooner would follow the noise.
 */
const calmMinutes = 30;

/**
 * Converts a limit of real time (a busy machine, a message in transit) to clock time: on a clock that runs 60 times as fast, three minutes are over
 * in 3 real seconds.
 */
function realTimeMs(clock: ClockConfig, realMs: number, minMs: number): number {
  return Math.max(minMs, Math.round(realMs * clock.speed));
}

/** @param warmUpRealMs time in which the controller only listens, until there is traffic */
export function controllerConfig(
  settings: FleetSettings,
  agents: number,
  warmUpRealMs: number,
): Partially<ControllerConfig> {
  const { clock, capacityScale } = settings;
  return {
    fleet,
    stateDir: join(settings.directory, "controller"),
    api: { host: "127.0.0.1", port: settings.controllerPort, apiKeys: [settings.apiKey] },
    // Agents join, and find the encrypted listener by it. Their HTTP stays on this machine, unencrypted, so passwords must not have ended yet:
    // from then on agents ask each other over TLS alone.
    broker: {
      ...{ embedded: true, host: "127.0.0.1", port: settings.brokerPort, shareKey: false },
      tls: { host: "127.0.0.1", port: 0 },
    },
    ingest: {
      staleAfterMs: realTimeMs(clock, 20_000, 180_000),
      rebirthIntervalMs: realTimeMs(clock, 1_000, minuteMs),
    },
    scaling: {
      policy: "fleet-plan",
      plan: {
        startupS: realTimeMs(clock, 500, minuteMs) / 1000,
        // Real time, part of the two seconds between decisions: solver and agents share this machine's cores.
        solverMs: 600,
      },
      // Each decision needs a forecast and a plan. Three intervals without one, and the fleet is to be watched anew before anything is on standby.
      intervalMs: Math.ceil(realTimeMs(clock, 2_000, minuteMs) / minuteMs) * minuteMs,
      capacityPerReplicaQps: fullSize.capacityPerReplicaQps * capacityScale,
      minReplicas: Math.min(2, agents),
      liveWindowMinutes: 3,
      stabilizationMs: calmMinutes * minuteMs,
      warmUpMs: realTimeMs(clock, warmUpRealMs, 0),
      maxDataAgeMs: realTimeMs(clock, 5_000, 180_000),
      confirmWithinMs: realTimeMs(clock, 10_000, 2 * minuteMs),
    },
    clock,
  };
}

/**
 * Night training within a demo's day: at any hour, once there are 30 held-out forecasts to judge it by, and twice a day. Window and record are in clock
 * time, limits of the machine in real time. Agents that serve for long enough train.
 */
const training = { window: "00:00-00:00", minDays: 0.25, maxMinutes: 0.5, units: "tiny" } as const;

/** Creates the configuration of a board's agent; its fleet and its broker are those that it joined. */
export function agentConfig(
  settings: Omit<FleetSettings, "apiKey">,
  board: DemoBoard,
  port: number,
): Partially<AgentConfig> {
  const { capacityScale } = settings;
  return {
    fleet,
    id: board.agentId,
    region: "demo",
    stateDir: join(settings.directory, board.agentId),
    // One thread: the agents share this machine's cores, and short texts gain nothing from a second one.
    // No cache: the demo repeats its texts, and must compute each.
    serving: { host: "127.0.0.1", port, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
    power: {
      board: "simulated",
      simulated: {
        preset: board.preset,
        capacityScale,
        actualShare: secondActSpeed,
        actualShareFromMs: settings.slowFromMs,
      },
      policy: {
        highQps: fullSize.highQps * capacityScale,
        lowQps: fullSize.lowQps * capacityScale,
        minDwellS: calmMinutes * 60,
      },
    },
    // A request stands for as many as the board is slowed down, and costs as much.
    mesh: { usdPerRequest: referencePrices.peer / capacityScale, keyFile: settings.meshKeyFile ?? null },
    forecast: { training },
    clock: settings.clock,
  };
}

/**
 * Creates the configuration of the clients' one address: an agent without a model or a board, which passes requests on to the boards and, beyond
 * what they carry, to the offers of the example. Their prices and capacities are scaled as the boards are.
 * @param cloudUrl address of the agent that stands for all places outside the fleet
 */
export function entryConfig(settings: FleetSettings, port: number, cloudUrl: string): Partially<AgentConfig> {
  const { capacityScale, clock } = settings;
  return {
    fleet,
    id: entryId,
    role: "standby",
    stateDir: join(settings.directory, entryId),
    serving: {
      ...{ host: "127.0.0.1", port, model: "none", cacheBytes: 0, grpc: { enabled: false } },
      apiKeys: [viewerKey, ...demoTenants.map(({ key, tenant }) => ({ key, tenant }))],
    },
    power: { board: "none" },
    // The boards' cost is kept separate from the machine that clients use.
    prices: { amortisationUsdPerHour: 0 },
    mesh: {
      keyFile: settings.meshKeyFile ?? null,
      targetMs: promised.p95Ms,
      offers: referenceOffers.map((offer) => ({
        ...offer,
        ...{
          url: cloudUrl,
          keyFile: null,
          models: Object.fromEntries(Object.keys(offer.models).map((id) => [id, id])),
        },
        usdPerRequest: offer.usdPerRequest / capacityScale,
        // Texts per second of real time.
        capacityQps: offer.capacityQps * capacityScale * clock.speed,
      })),
    },
    forecast: { training: { enabled: false } },
    clock,
  };
}

/**
 * Creates the configuration of an agent that serves as fast as this machine can: it is measured, and then stands for the places outside the
 * fleet.
 */
export function cloudConfig(directory: string, port: number, brokerPort: number): Partially<AgentConfig> {
  return {
    fleet: "cloud",
    id: "cloud",
    stateDir: join(directory, "cloud"),
    // No broker listens there: an agent serves without one.
    broker: { url: `mqtt://127.0.0.1:${brokerPort}` },
    serving: { host: "127.0.0.1", port, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
    power: { board: "none" },
  };
}
