import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import type { Birth, Desired, MinuteData, Presence, Reported } from "#protocol/messages.ts";

/** Well-formed messages of an agent, with what a test cares about given. */
const envelope = { v: 1, agentId: "thor-1", bootId: "boot-1", sentAtMs: 1_000 } as const;

export function aPresence(given: Partial<Presence> = {}): Presence {
  return {
    ...envelope,
    status: "online",
    role: "active",
    url: "http://127.0.0.1:8081",
    region: "hall-1",
    version: "0.1.0",
    models: ["mini"],
    ...given,
  };
}

export function aBirth(given: Partial<Birth> = {}): Birth {
  return {
    ...envelope,
    url: "http://127.0.0.1:8081",
    region: "hall-1",
    version: "0.1.0",
    board: {
      kind: "simulated",
      name: "Thor",
      powerModes: [
        { id: 0, name: "MAXN", capacityQps: 350, busyWatts: 100, idleWatts: 20 },
        { id: 1, name: "70W", capacityQps: 200, busyWatts: 60, idleWatts: 15 },
      ],
    },
    models: [{ id: "mini", dimension: 384, revision: "1" }],
    prices: { tariffUsdPerKwh: null, amortisationUsdPerHour: null },
    tags: {},
    ...given,
  };
}

export function aReported(given: Partial<Reported> = {}): Reported {
  return { ...envelope, desiredVersion: null, role: "active", powerMode: "MAXN", differs: [], ...given };
}

export function aDesired(given: Partial<Desired> = {}): Desired {
  return {
    v: 1,
    agentId: "thor-1",
    version: 1,
    issuedAtMs: 1_000,
    role: "active",
    powerMode: null,
    powerModeUntilMs: null,
    reason: "because",
    ...given,
  };
}

/** One model's traffic with all requests at 8 ms. */
export function aModel(model: string, requests: number, computeMs = requests) {
  const latencyCounts = emptyLatencyCounts();
  latencyCounts[latencyBucket(8)] = requests;
  return { model, requests, texts: requests, tokens: requests * 10, computeMs, latencyCounts };
}

export function aMinute(
  given: Partial<MinuteData> & { minuteStartMs?: number; requests?: number; observedMs?: number } = {},
): MinuteData {
  const { minuteStartMs = 60_000, requests = 600, observedMs = 60_000, ...rest } = given;
  return {
    ...envelope,
    seq: 1,
    historical: false,
    role: "active",
    queueDepth: 0,
    traffic: { minuteStartMs, observedMs, errors: 0, rejected: 0, models: [aModel("mini", requests)] },
    power: {
      modeId: 0,
      modeName: "MAXN",
      energyJ: 1800,
      measuredMs: observedMs,
      maxTemperatureC: 50,
      gpuUtilization: 0.5,
    },
    forecast: null,
    ...rest,
  };
}
