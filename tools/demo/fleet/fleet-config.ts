import { join } from "node:path";
import type { AgentConfig } from "#agent/config.ts";
import { brokerKeyPath } from "#controller/broker/broker-key.ts";
import type { ControllerConfig } from "#controller/config.ts";
import type { ClockConfig } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import type { DemoBoard } from "./demo-fleet.ts";

/** A configuration file: only what differs from the defaults. */
type Partially<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> }
    : T;

const fleet = "demo";

export interface FleetSettings {
  readonly directory: string;
  readonly clock: ClockConfig;
  /** What capacities and thresholds in requests a second are multiplied by. */
  readonly capacityScale: number;
  readonly controllerPort: number;
  readonly brokerPort: number;
}

/** What one agent carries and the thresholds of the power policy, in a fleet of full size (requests a second). */
const fullSize = { capacityPerReplicaQps: 350, highQps: 300, lowQps: 100 } as const;

/**
 * The trace is of a small server: its single minutes differ by a third from the quarter of an hour around them. Stepping down waits for
 * half an hour without such a minute, else the fleet would follow the noise.
 */
const calmMinutes = 30;

/**
 * Limits that guard against what takes real time (a busy machine, a message on its way) are meant in real time: on a clock that runs
 * 288 times as fast, three of its minutes are over in 0.6 seconds.
 */
function realTimeMs(clock: ClockConfig, realMs: number, atLeastMs: number): number {
  return Math.max(atLeastMs, Math.round(realMs * clock.speed));
}

function controllerStateDir(settings: FleetSettings): string {
  return join(settings.directory, "controller");
}

/** @param warmUpRealMs how long the controller only listens: until there is traffic */
export function controllerConfig(
  settings: FleetSettings,
  agents: number,
  warmUpRealMs: number,
): Partially<ControllerConfig> {
  const { clock, capacityScale } = settings;
  return {
    fleet,
    stateDir: controllerStateDir(settings),
    api: { host: "127.0.0.1", port: settings.controllerPort },
    // Its agents are told where the key is.
    broker: { embedded: true, host: "127.0.0.1", port: settings.brokerPort, shareKey: false },
    ingest: {
      staleAfterMs: realTimeMs(clock, 10_000, 180_000),
      rebirthIntervalMs: realTimeMs(clock, 2_000, minuteMs),
    },
    scaling: {
      policy: "fleet-plan",
      plan: {
        startupS: realTimeMs(clock, 500, minuteMs) / 1000,
        // Real time: a part of the half second between two decisions, as solver and agents share this machine's cores.
        solverMs: 250,
      },
      // Each decision takes a forecast, tens of milliseconds of a core.
      intervalMs: Math.ceil(realTimeMs(clock, 500, minuteMs) / minuteMs) * minuteMs,
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
 * A night's training in a demo's day: at any hour, as soon as there are 30 held-out forecasts to judge it by, and twice a day. Its window and its record
 * are of the demo's clock, what it may take of the machine is in real time. Every agent may: those that the plan lets serve for long enough do.
 */
const training = { window: "00:00-00:00", minDays: 0.25, maxMinutes: 0.5, units: "tiny" } as const;

export function agentConfig(settings: FleetSettings, board: DemoBoard, port: number): Partially<AgentConfig> {
  const { capacityScale } = settings;
  return {
    fleet,
    id: board.agentId,
    region: "demo",
    stateDir: join(settings.directory, board.agentId),
    broker: {
      url: `mqtt://127.0.0.1:${settings.brokerPort}`,
      keyFile: brokerKeyPath(controllerStateDir(settings)),
    },
    // One thread: the agents share this machine's cores, and short texts gain nothing from a second one.
    // No cache: the demo repeats its texts, and its work is to be real.
    serving: { host: "127.0.0.1", port, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
    power: {
      board: "simulated",
      simulated: { preset: board.preset, capacityScale },
      policy: {
        highQps: fullSize.highQps * capacityScale,
        lowQps: fullSize.lowQps * capacityScale,
        minDwellS: calmMinutes * 60,
      },
    },
    forecast: { training },
    clock: settings.clock,
  };
}

/** An agent that serves as fast as this machine can, on its own, to measure that. */
export function probeConfig(directory: string, port: number, brokerPort: number): Partially<AgentConfig> {
  return {
    fleet,
    id: "probe",
    stateDir: join(directory, "probe"),
    // Nobody listens there: an agent serves without a broker.
    broker: { url: `mqtt://127.0.0.1:${brokerPort}` },
    serving: { host: "127.0.0.1", port, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
    power: { board: "none" },
  };
}
