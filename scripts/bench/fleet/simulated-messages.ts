import { emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import type { AgentRole, Beat, Birth, MinuteData, Presence, Reported } from "#protocol/messages.ts";

/** The messages of a Thor with one model, with all that a real agent reports: figures follow a day's curve. */

const model = "all-MiniLM-L6-v2";
const horizonMinutes = 15;
const modes = [
  { id: 0, name: "MAXN", capacityQps: 350, busyWatts: 100, idleWatts: 20 },
  { id: 1, name: "70W", capacityQps: 200, busyWatts: 60, idleWatts: 15 },
];

export interface Speaker {
  readonly agentId: string;
  readonly bootId: string;
  readonly region: string;
  readonly role: AgentRole;
}

const envelopeOf = ({ agentId, bootId }: Speaker, nowMs: number) => ({
  ...{ v: 1 as const, agentId, bootId, sentAtMs: Math.round(nowMs) },
});
const addressOf = ({ agentId }: Speaker) => `http://${agentId}.fleet.example:8081`;

export function simulatedPresence(speaker: Speaker, nowMs: number, status: Presence["status"]): Presence {
  const { region, role } = speaker;
  const url = status === "online" ? addressOf(speaker) : "";
  return { ...envelopeOf(speaker, nowMs), status, role, url, region, version: "0.0.0-simulated", models: [model] };
}

export function simulatedBirth(speaker: Speaker, nowMs: number): Birth {
  return {
    ...envelopeOf(speaker, nowMs),
    ...{ url: addressOf(speaker), region: speaker.region, version: "0.0.0-simulated" },
    board: { kind: "simulated", name: "Jetson AGX Thor", powerModes: modes },
    models: [{ id: model, dimension: 384, revision: "1" }],
    prices: { tariffUsdPerKwh: null, amortisationUsdPerHour: null },
    tags: { rack: `rack-${Bun.hash.crc32(speaker.agentId) % 100}` },
  };
}

export function simulatedReported(speaker: Speaker, nowMs: number, desiredVersion: number | null): Reported {
  return { ...envelopeOf(speaker, nowMs), desiredVersion, role: speaker.role, powerMode: "MAXN", differs: [] };
}

export function simulatedBeat(speaker: Speaker, nowMs: number, qps: number): Beat {
  const texts = Math.round(10 * qps);
  return {
    ...envelopeOf(speaker, nowMs),
    ...{ windowMs: 10_000, role: speaker.role, modeName: "MAXN", queueDepth: 0 },
    models: [{ model, requests: texts, texts, cachedTexts: 0, refused: [], p95Ms: 21.5, slowRequests: 0 }],
    utilization: { cpu: 0.31, gpu: 0.52, memory: 0.4, processCpu: 0.2, processMemory: 0.11 },
  };
}

export function simulatedMinute(
  speaker: Speaker,
  nowMs: number,
  minute: { readonly seq: number; readonly startMs: number; readonly qps: number; readonly observedMs: number },
): MinuteData {
  const { seq, startMs, qps, observedMs } = minute;
  const texts = Math.round((qps * observedMs) / 1000);
  const latencyCounts = emptyLatencyCounts().map((_, bucket) => Math.floor(texts / 2 ** (2 + Math.abs(bucket - 4))));
  const path = (factor: number) =>
    Array.from({ length: horizonMinutes }, (_, step) => Math.round(1000 * qps * factor * (1 + step / 100)) / 1000);
  return {
    ...envelopeOf(speaker, nowMs),
    ...{ seq, historical: false, role: speaker.role, queueDepth: 0 },
    traffic: {
      ...{ minuteStartMs: startMs, observedMs, errors: 0, rejected: 0 },
      models:
        texts === 0
          ? []
          : [
              {
                ...{ model, requests: texts, texts, tokens: 20 * texts, computeMs: 2.5 * texts, latencyCounts },
                ...{ cachedTexts: Math.floor(texts / 10), queueMs: texts },
              },
            ],
    },
    power: {
      ...{ modeId: 0, modeName: "MAXN", energyJ: 1200 + 20 * qps, measuredMs: observedMs },
      ...{ idleJ: 1200, activeJ: 20 * qps, maxTemperatureC: 51.5, gpuUtilization: 0.42 },
    },
    forecast: {
      ...{ madeAtMs: Math.round(nowMs), model: "lstm", reason: "lstm and seasonal, weighted by their errors" },
      ...{ stepMs: 60_000, qps: path(1), qps90: path(1.2), qps95: path(1.3) },
      peakQps: { q50: 1.15 * qps, q90: 1.35 * qps, q95: 1.5 * qps },
      shares: { lstm: 0.6, seasonal: 0.4 },
    },
    capacity: [{ model, modeName: "MAXN", qps: 340.5, tokensPerText: 20, confidence: 0.9, source: "served" }],
    utilization: { cpu: 0.31, gpu: 0.52, memory: 0.4, processCpu: 0.2, processMemory: 0.11 },
  };
}
