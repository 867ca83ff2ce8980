import { joulesPerKwh } from "#platform/energy.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { demandOf, workOf } from "#protocol/demand.ts";
import { latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { AgentRole, Desired, MinuteData, RefusalCause } from "#protocol/messages.ts";
import { wattsOf } from "#protocol/minute-figures.ts";
import type { Prices } from "../cost/price-minute.ts";
import { type AgentState, availabilityOf, ownRoleOf, recentLatencyCounts, requestsOf } from "../fleet/agent-state.ts";
import { startByOwnClock } from "../fleet/clock-skew.ts";

/** State of an agent as people are shown it. */
export const agentConditions = ["serving", "standby", "draining", "offline"] as const;
export type AgentCondition = (typeof agentConditions)[number];

const conditionOfRole: Readonly<Record<AgentRole, AgentCondition>> = {
  active: "serving",
  standby: "standby",
  draining: "draining",
};

/** State of an agent at `nowMs`: as reported, otherwise as desired. */
export function conditionOf(
  agent: AgentState,
  desired: Desired | undefined,
  nowMs: number,
  staleAfterMs: number,
): AgentCondition {
  if (!availabilityOf(agent, nowMs, staleAfterMs).online) return "offline";
  return conditionOfRole[ownRoleOf(agent) ?? desired?.role ?? "standby"];
}

/** Counts agents by role and state. */
export function countConditions(
  agents: Iterable<{ readonly condition: AgentCondition }>,
): Record<AgentCondition, number> {
  const counts: Record<AgentCondition, number> = { serving: 0, standby: 0, draining: 0, offline: 0 };
  for (const { condition } of agents) counts[condition] += 1;
  return counts;
}

/** Figures of one agent that change with its messages alone. Rates are a second of its newest minute; null: unknown. */
export interface AgentFacts {
  readonly agentId: string;
  /** End of the newest minute by the controller's clock. */
  readonly minuteEndMs: number | null;
  /** Texts that were asked of it, and that it computed. */
  readonly demandPerS: number | null;
  readonly workPerS: number | null;
  readonly requestsPerS: number | null;
  readonly refusedPerS: Readonly<Record<RefusalCause, number>> | null;
  readonly queuedTexts: number | null;
  /** Requests of the newest minutes by latency; null without any. */
  readonly latencyCounts: readonly number[] | null;
  readonly p95Ms: number | null;
  readonly watts: number | null;
  readonly temperatureC: number | null;
  /** Amortisation, energy as in the newest minute where it was measured, and offers. */
  readonly usdPerHour: number | null;
  /** Texts per second of its most capable mode. */
  readonly capacityPerS: number | null;
}

function refusedOf({ traffic }: MinuteData): Record<RefusalCause, number> {
  const perS = { queue: 0, deadline: 0, standby: 0, "rate-limit": 0, error: 0 };
  for (const { refused = [] } of traffic.models)
    for (const { cause, requests } of refused) perS[cause] += (1000 * requests) / minuteMs;
  return perS;
}

function usdPerHourOf(minute: MinuteData, watts: number | null, prices: Prices): number {
  const { tariffUsdPerKwh, amortisationUsdPerHour } = prices;
  const offersUsd = minute.traffic.models.reduce((sum, { offersUsd = 0 }) => sum + offersUsd, 0);
  const energyUsd = (((watts ?? 0) * hourMs) / 1000 / joulesPerKwh) * tariffUsdPerKwh;
  return amortisationUsdPerHour + energyUsd + (offersUsd * hourMs) / minuteMs;
}

/** Reads an agent's figures from its newest minutes. */
export function readFacts(agent: AgentState, prices: Prices, capacityPerS: number | null): AgentFacts {
  const { agentId, recent, birth } = agent;
  const newest = recent.at(-1);
  const watts = wattsOf(newest);
  const latencyCounts = recent.some(({ traffic }) => traffic.models.length > 0) ? recentLatencyCounts([agent]) : null;
  const known = { agentId, capacityPerS: capacityPerS ?? birth?.board.powerModes[0]?.capacityQps ?? null };
  if (newest === undefined)
    return {
      ...known,
      ...{ minuteEndMs: null, demandPerS: null, workPerS: null, requestsPerS: null, refusedPerS: null },
      ...{ queuedTexts: null, latencyCounts, p95Ms: null, watts: null, temperatureC: null, usdPerHour: null },
    };
  return {
    ...known,
    minuteEndMs: startByOwnClock(agent, newest.traffic.minuteStartMs) + minuteMs,
    demandPerS: (1000 * demandOf(newest.traffic)) / minuteMs,
    workPerS: (1000 * workOf(newest.traffic)) / minuteMs,
    requestsPerS: (1000 * requestsOf(newest)) / minuteMs,
    refusedPerS: refusedOf(newest),
    queuedTexts: newest.queueDepth,
    latencyCounts,
    p95Ms: latencyCounts === null ? null : latencyQuantileMs(latencyCounts, 0.95),
    watts,
    temperatureC: newest.power?.maxTemperatureC ?? null,
    usdPerHour: usdPerHourOf(newest, watts, prices),
  };
}
