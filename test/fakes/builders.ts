import {
  type AgentState,
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import type {
  Beat,
  Birth,
  CommandResult,
  Desired,
  ForecastReport,
  MinuteData,
  MinutePower,
  MinuteTraffic,
  Presence,
  Reported,
} from "#protocol/messages.ts";

/** Well-formed messages and records of an agent: a test gives the fields that matter to it, so that a new field is added here alone. */
export const envelope = { v: 1, agentId: "thor-1", bootId: "boot-1", sentAtMs: 1_000 } as const;

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

export function aCommandResult(given: Partial<CommandResult> = {}): CommandResult {
  return { ...envelope, id: "command-1", state: "succeeded", reason: "", ...given };
}

/** A forecast of 15 minutes at one rate. */
export function aForecast(qps: number, given: Partial<ForecastReport> = {}): ForecastReport {
  return { madeAtMs: 1_000, model: "test", reason: "", stepMs: 60_000, qps: new Array(15).fill(qps), ...given };
}

/** A minute at 30 W. */
export function aPower(given: Partial<MinutePower> = {}): MinutePower {
  return {
    modeId: 0,
    modeName: "MAXN",
    energyJ: 1800,
    measuredMs: 60_000,
    maxTemperatureC: 50,
    gpuUtilization: 0.5,
    ...given,
  };
}

/** A minute without requests. */
export function aTraffic(given: Partial<MinuteTraffic> = {}): MinuteTraffic {
  return { minuteStartMs: 0, observedMs: 60_000, errors: 0, rejected: 0, models: [], ...given };
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
    traffic: aTraffic({ minuteStartMs, observedMs, models: [aModel("mini", requests)] }),
    power: aPower({ measuredMs: observedMs }),
    forecast: null,
    ...rest,
  };
}

/** Ten seconds of one model in which all requests of one text were answered at once. */
export function aBeat(given: Partial<Beat> & { readonly model?: Partial<Beat["models"][number]> } = {}): Beat {
  const { model = {}, ...rest } = given;
  return {
    ...envelope,
    windowMs: 10_000,
    role: "active",
    modeName: "MAXN",
    queueDepth: 0,
    models: [
      {
        ...{ model: "mini", requests: 100, texts: 100, cachedTexts: 0, refused: [], p95Ms: 20, slowRequests: 0 },
        ...model,
      },
    ],
    utilization: { cpu: null, gpu: null, memory: null, processCpu: null, processMemory: null },
    ...rest,
  };
}

/** An agent as the controller knows it after these messages; null: this kind has not come. */
export function anAgent(
  said: {
    readonly agentId?: string;
    readonly nowMs?: number;
    readonly presence?: Partial<Presence> | null;
    readonly birth?: Partial<Birth> | null;
    readonly reported?: Partial<Reported> | null;
    readonly minutes?: readonly MinuteData[];
  } = {},
): AgentState {
  const { agentId = "thor-1", nowMs = 1_000, presence = {}, birth = {}, reported = null, minutes = [] } = said;
  let state = unknownAgent(agentId, nowMs);
  if (presence !== null) state = observePresence(state, aPresence({ agentId, ...presence }), nowMs) ?? state;
  if (birth !== null) state = observeBirth(state, aBirth({ agentId, ...birth }), nowMs);
  if (reported !== null) state = observeReported(state, aReported({ agentId, ...reported }), nowMs) ?? state;
  for (const minute of minutes) state = observeMinute(state, minute, nowMs).state;
  return state;
}
