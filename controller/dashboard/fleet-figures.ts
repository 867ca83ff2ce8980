import { emptyLatencyCounts, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { ForecastReport, RefusalCause } from "#protocol/messages.ts";
import { type AgentCondition, type AgentFacts, countConditions } from "./agent-facts.ts";
import { type Figure, type FigureName, type Figures, figureOf } from "./figure.ts";

/** Agent as the fleet's figures count it. */
export interface CountedAgent {
  readonly condition: AgentCondition;
  readonly facts: AgentFacts;
}

/** Sources of the fleet's figures, besides the agents. */
export interface FigureSources {
  readonly nowMs: number;
  /** Age from which an agent's minute says nothing of the present. */
  readonly maxDataAgeMs: number;
  /** Time between two decisions. */
  readonly decisionEachMs: number;
  readonly brokerConnected: boolean;
  /** Texts a second that an agent carries of which nothing is known. */
  readonly usualCapacityPerS: number;
  readonly p95TargetMs: number | null;
  readonly forecast: ForecastReport | null;
  /** Peak of the forecast: its median, and its 0.95 quantile where it has one. */
  readonly peakTextsPerS: number | null;
  /** Latest decision; null before the first. */
  readonly decision: { readonly atMs: number; readonly needed: number } | null;
  /** Alerts; null before they were looked for. */
  readonly alerts: { readonly atMs: number; readonly firing: number } | null;
}

interface Sum {
  readonly value: number | null;
  /** Agents that it is summed over. */
  readonly by: number;
}

type FactNumber = { [K in keyof AgentFacts]: AgentFacts[K] extends number | null ? K : never }[keyof AgentFacts];

function sum(agents: readonly CountedAgent[], of: (facts: AgentFacts) => number | null): Sum {
  let value = 0;
  let by = 0;
  for (const { facts } of agents) {
    const each = of(facts);
    if (each === null) continue;
    value += each;
    by += 1;
  }
  return { value: by === 0 ? null : value, by };
}

/** Time up to which the newest minutes reach; null without any. */
function newestEndMs(agents: readonly CountedAgent[]): number | null {
  let newest: number | null = null;
  for (const { facts } of agents)
    if (facts.minuteEndMs !== null && (newest === null || facts.minuteEndMs > newest)) newest = facts.minuteEndMs;
  return newest;
}

function latencyP95Ms(agents: readonly CountedAgent[]): number | null {
  const total = emptyLatencyCounts();
  for (const { facts } of agents) {
    const counts = facts.latencyCounts;
    if (counts === null) continue;
    for (let bucket = 0; bucket < total.length; bucket += 1)
      total[bucket] = (total[bucket] as number) + (counts[bucket] ?? 0);
  }
  return latencyQuantileMs(total, 0.95);
}

const partOf = (by: number, of: number, what: string) =>
  by < of && by > 0 ? `${what} of ${by} of ${of} agents` : null;

/** Time that counts are of: they change when an agent comes or goes, and are true at any time; ten seconds are told as one. */
const countsOfMs = 10_000;

function counts(agents: readonly CountedAgent[], { nowMs, brokerConnected }: FigureSources) {
  const by = countConditions(agents.map(({ condition }) => condition));
  const times = { nowMs, maxAgeMs: Number.POSITIVE_INFINITY, isCutOff: !brokerConnected };
  const atMs = Math.floor(nowMs / countsOfMs) * countsOfMs;
  const of = (name: AgentCondition) => figureOf(name, by[name], atMs, times);
  return { serving: of("serving"), standby: of("standby"), draining: of("draining"), offline: of("offline") };
}

const refusals: readonly (readonly [FigureName, RefusalCause])[] = [
  ["refusedQueuePerS", "queue"],
  ["refusedDeadlinePerS", "deadline"],
  ["refusedErrorPerS", "error"],
  ["refusedRateLimitPerS", "rate-limit"],
  ["refusedStandbyPerS", "standby"],
];

/** Figures of the agents' newest minutes. */
function minuteFigures(online: readonly CountedAgent[], sources: FigureSources) {
  const { nowMs, maxDataAgeMs, brokerConnected, usualCapacityPerS, p95TargetMs } = sources;
  const endMs = newestEndMs(online);
  const times = { nowMs, maxAgeMs: maxDataAgeMs, isCutOff: !brokerConnected };
  const reporting = sum(online, ({ minuteEndMs }) => minuteEndMs).by;
  const of = (name: FigureName, key: FactNumber, what: string, outOf = reporting): Figure => {
    const { value, by } = sum(online, (facts) => facts[key] as number | null);
    return figureOf(name, value, endMs, times, partOf(by, outOf, what));
  };
  const serving = online.filter(({ condition }) => condition === "serving");
  const measured = sum(serving, ({ capacityPerS }) => capacityPerS);
  const capacity =
    serving.length === 0 ? 0 : (measured.value ?? 0) + (serving.length - measured.by) * usualCapacityPerS;
  const hottest = online.reduce<number | null>(
    (max, { facts: { temperatureC } }) => (temperatureC === null ? max : Math.max(max ?? temperatureC, temperatureC)),
    null,
  );
  const powered = sum(online, ({ watts }) => watts).by;
  const cost = sum(online, ({ usdPerHour }) => usdPerHour).value;
  const noEnergy =
    powered < reporting ? `without the energy of ${reporting - powered} agents, which is not measured` : null;
  return {
    textsPerS: of("textsPerS", "demandPerS", "texts", online.length),
    requestsPerS: of("requestsPerS", "requestsPerS", "requests", online.length),
    queuedTexts: of("queuedTexts", "queuedTexts", "queues", online.length),
    capacityTextsPerS: figureOf(
      "capacityTextsPerS",
      online.length === 0 ? null : capacity,
      endMs,
      times,
      measured.by < serving.length ? `assumed of ${serving.length - measured.by} of ${serving.length} agents` : null,
    ),
    p95Ms: figureOf("p95Ms", latencyP95Ms(online), endMs, times),
    p95TargetMs: figureOf("p95TargetMs", p95TargetMs, null, times),
    ...(Object.fromEntries(
      refusals.map(([name, cause]) => {
        const { value } = sum(online, ({ refusedPerS }) => refusedPerS?.[cause] ?? null);
        return [name, figureOf(name, value, endMs, times)];
      }),
    ) as Pick<
      Figures,
      "refusedQueuePerS" | "refusedDeadlinePerS" | "refusedErrorPerS" | "refusedRateLimitPerS" | "refusedStandbyPerS"
    >),
    watts: of("watts", "watts", "power", online.length),
    maxTemperatureC: figureOf("maxTemperatureC", hottest, endMs, times),
    usdPerHour: figureOf("usdPerHour", cost, endMs, times, noEnergy),
  };
}

/** Computes the fleet's figures: the page, the API and `thormesh status` show these. */
export function fleetFigures(agents: readonly CountedAgent[], sources: FigureSources): Figures {
  const { nowMs, decisionEachMs, forecast, peakTextsPerS, decision, alerts } = sources;
  const online = agents.filter(({ condition }) => condition !== "offline");
  const byRounds = { nowMs, maxAgeMs: 3 * decisionEachMs, isCutOff: false };
  const madeAtMs = forecast?.madeAtMs ?? null;
  return {
    ...counts(agents, sources),
    needed: figureOf("needed", decision?.needed ?? null, decision?.atMs ?? null, byRounds),
    ...minuteFigures(online, sources),
    forecastPeakTextsPerS: figureOf("forecastPeakTextsPerS", peakTextsPerS, madeAtMs, byRounds),
    forecastPeak95TextsPerS: figureOf("forecastPeak95TextsPerS", forecast?.peakQps?.q95 ?? null, madeAtMs, byRounds),
    alertsFiring: figureOf("alertsFiring", alerts?.firing ?? null, alerts?.atMs ?? null, {
      ...{ nowMs, maxAgeMs: alertsOldMs, isCutOff: false },
    }),
  };
}

/** Alerts are looked for each minute. */
const alertsOldMs = 180_000;
