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
  /** Texts per second that an agent carries of which nothing is known. */
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

/** Facts that add up over agents. */
const addends = ["demandPerS", "requestsPerS", "queuedTexts", "watts", "usdPerHour"] as const;
type Addend = (typeof addends)[number];

interface Sum {
  /** Null: no agent knows it. */
  value: number | null;
  /** Agents that it is summed over. */
  by: number;
}

/** Sums over the agents that are online, and counts of all. */
export interface Sums extends Record<Addend, Sum> {
  counts: Record<AgentCondition, number>;
  online: number;
  /** Agents with a minute, and the time up to which the newest reaches. */
  reporting: number;
  endMs: number | null;
  /** Capacity of the agents that serve. */
  capacity: Sum;
  refused: Record<RefusalCause, number> | null;
  hottestC: number | null;
  latencyCounts: number[];
}

function add(sum: Sum, value: number | null): void {
  if (value === null) return;
  sum.value = (sum.value ?? 0) + value;
  sum.by += 1;
}

/** Adds up the agents in one pass: there may be ten thousand, each second. */
export function sumUp(agents: readonly CountedAgent[]): Sums {
  const none = (): Sum => ({ value: null, by: 0 });
  const sums: Sums = {
    ...{ demandPerS: none(), requestsPerS: none(), queuedTexts: none(), watts: none(), usdPerHour: none() },
    ...{ counts: countConditions(agents), online: 0, reporting: 0, endMs: null, capacity: none() },
    ...{ refused: null, hottestC: null, latencyCounts: emptyLatencyCounts() },
  };
  for (const { condition, facts } of agents) {
    if (condition === "offline") continue;
    sums.online += 1;
    if (condition === "serving") add(sums.capacity, facts.capacityPerS);
    addLatency(sums.latencyCounts, facts.latencyCounts);
    const { minuteEndMs, temperatureC, refusedPerS } = facts;
    if (minuteEndMs === null) continue;
    sums.reporting += 1;
    if (sums.endMs === null || minuteEndMs > sums.endMs) sums.endMs = minuteEndMs;
    for (const name of addends) add(sums[name], facts[name]);
    if (temperatureC !== null && temperatureC > (sums.hottestC ?? Number.NEGATIVE_INFINITY))
      sums.hottestC = temperatureC;
    if (refusedPerS === null) continue;
    sums.refused ??= { queue: 0, deadline: 0, standby: 0, "rate-limit": 0, error: 0 };
    for (const [, cause] of refusals) sums.refused[cause] += refusedPerS[cause];
  }
  return sums;
}

function addLatency(total: number[], counts: readonly number[] | null): void {
  if (counts === null) return;
  for (let bucket = 0; bucket < counts.length; bucket += 1)
    total[bucket] = (total[bucket] as number) + (counts[bucket] as number);
}

const agentsText = (count: number) => `${count} ${count === 1 ? "agent" : "agents"}`;

const partOf = (by: number, of: number, what: string) =>
  by < of && by > 0 ? `${what} of ${by} of ${agentsText(of)}` : null;

/** Time of the counts: they change when an agent comes or goes, and are valid at any time; rounded to ten seconds. */
const countsOfMs = 10_000;

function countFigures({ counts }: Sums, { nowMs, brokerConnected }: FigureSources) {
  const times = { nowMs, maxAgeMs: Number.POSITIVE_INFINITY, isCutOff: !brokerConnected };
  const atMs = Math.floor(nowMs / countsOfMs) * countsOfMs;
  const of = (name: AgentCondition) => figureOf(name, counts[name], atMs, times);
  return { serving: of("serving"), standby: of("standby"), draining: of("draining"), offline: of("offline") };
}

const refusals = [
  ["refusedQueuePerS", "queue"],
  ["refusedDeadlinePerS", "deadline"],
  ["refusedErrorPerS", "error"],
  ["refusedRateLimitPerS", "rate-limit"],
  ["refusedStandbyPerS", "standby"],
] as const satisfies readonly (readonly [FigureName, RefusalCause])[];

/** Figures of the agents' newest minutes. */
function minuteFigures(sums: Sums, sources: FigureSources) {
  const { nowMs, maxDataAgeMs, brokerConnected, usualCapacityPerS, p95TargetMs } = sources;
  const { online, reporting, endMs, capacity, refused, watts } = sums;
  const times = { nowMs, maxAgeMs: maxDataAgeMs, isCutOff: !brokerConnected };
  const of = (name: FigureName, { value, by }: Sum, what: string): Figure =>
    figureOf(name, value, endMs, times, partOf(by, online, what));
  const plain = (name: FigureName, value: number | null, note: string | null = null) =>
    figureOf(name, value, endMs, times, note);
  const { serving } = sums.counts;
  const assumed = serving - capacity.by;
  const unmeasured = reporting - watts.by;
  return {
    textsPerS: of("textsPerS", sums.demandPerS, "texts"),
    requestsPerS: of("requestsPerS", sums.requestsPerS, "requests"),
    queuedTexts: of("queuedTexts", sums.queuedTexts, "queues"),
    capacityTextsPerS: plain(
      "capacityTextsPerS",
      online === 0 ? null : (capacity.value ?? 0) + assumed * usualCapacityPerS,
      assumed > 0 ? `assumed of ${assumed} of ${agentsText(serving)}` : null,
    ),
    p95Ms: plain("p95Ms", latencyQuantileMs(sums.latencyCounts, 0.95)),
    p95TargetMs: figureOf("p95TargetMs", p95TargetMs, null, times),
    ...(Object.fromEntries(refusals.map(([name, cause]) => [name, plain(name, refused?.[cause] ?? null)])) as Pick<
      Figures,
      (typeof refusals)[number][0]
    >),
    watts: of("watts", watts, "power"),
    maxTemperatureC: plain("maxTemperatureC", sums.hottestC),
    usdPerHour: plain(
      "usdPerHour",
      sums.usdPerHour.value,
      unmeasured > 0 ? `without the energy of ${agentsText(unmeasured)}, which is not measured` : null,
    ),
  };
}

/** Computes the fleet's figures: the page, the API and `thormesh status` show these. */
export function fleetFigures(sums: Sums, sources: FigureSources): Figures {
  const { nowMs, decisionEachMs, forecast, peakTextsPerS, decision, alerts } = sources;
  const byRounds = { nowMs, maxAgeMs: 3 * decisionEachMs, isCutOff: false };
  const madeAtMs = forecast?.madeAtMs ?? null;
  return {
    ...countFigures(sums, sources),
    needed: figureOf("needed", decision?.needed ?? null, decision?.atMs ?? null, byRounds),
    ...minuteFigures(sums, sources),
    forecastPeakTextsPerS: figureOf("forecastPeakTextsPerS", peakTextsPerS, madeAtMs, byRounds),
    forecastPeak95TextsPerS: figureOf("forecastPeak95TextsPerS", forecast?.peakQps?.q95 ?? null, madeAtMs, byRounds),
    alertsFiring: figureOf("alertsFiring", alerts?.firing ?? null, alerts?.atMs ?? null, {
      ...{ nowMs, maxAgeMs: alertsOldMs, isCutOff: false },
    }),
  };
}

/** Alerts are looked for each minute. */
const alertsOldMs = 180_000;
