import { intendedRole, unavailability } from "#controller/scaling/active-agents/observe-fleet.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { Desired } from "#protocol/messages.ts";
import { wattsOf } from "#protocol/minute-figures.ts";
import { conditionOf } from "../dashboard/agent-facts.ts";
import { type AgentState, liveWorkQpsOf, ownRoleOf, recentLatencyCounts } from "../fleet/agent-state.ts";
import { brokerProblemsOf } from "../fleet/broker-problems.ts";
import { clockSkewMs } from "../fleet/clock-skew.ts";
import type { Override } from "../store/store.ts";
import type { AgentView } from "./schemas.ts";

/** Texts that wait at the agent, by its newest beat or minute; null before the first. */
export function queueDepthOf({ recent, beats }: AgentState): number | null {
  const [minute, beat] = [recent.at(-1), beats.at(-1)];
  if (beat !== undefined && beat.beat.sentAtMs >= (minute?.sentAtMs ?? 0)) return beat.beat.queueDepth;
  return minute?.queueDepth ?? null;
}

/** State of an agent as the API shows it at `nowMs`; after `staleAfterMs` of silence it counts as unavailable. */
export function agentView(
  agent: AgentState,
  desired: Desired | undefined,
  override: Override | undefined,
  staleAfterMs: number,
  nowMs: number,
): AgentView {
  const { presence, birth, reported } = agent;
  const condition = conditionOf(agent, desired, nowMs, staleAfterMs);
  const online = condition !== "offline";
  const newest = agent.recent.at(-1);
  const latencyCounts = recentLatencyCounts([agent]);
  const forecast = newest?.forecast ?? null;
  return {
    agentId: agent.agentId,
    status: online ? "online" : "offline",
    condition,
    role: { desired: intendedRole(agent, desired), reported: ownRoleOf(agent) },
    capacityQps: birth?.board.powerModes[0]?.capacityQps ?? null,
    watts: online ? wattsOf(newest) : null,
    temperatureC: online ? (newest?.power?.maxTemperatureC ?? null) : null,
    unavailableReason: unavailability(agent, desired, nowMs, staleAfterMs),
    powerMode: { desired: desired?.powerMode ?? null, reported: reported?.powerMode ?? null },
    desiredVersion: desired?.version ?? null,
    reportedVersion: reported?.desiredVersion ?? null,
    differs: reported?.differs ?? [],
    brokerProblems: brokerProblemsOf(agent, online, nowMs),
    url: presence?.url || birth?.url || null,
    region: birth?.region ?? presence?.region ?? null,
    version: presence?.version ?? birth?.version ?? null,
    bootId: agent.bootId,
    board: birth?.board.name ?? null,
    models: presence?.models ?? [],
    tags: birth?.tags ?? {},
    lastHeardMs: agent.lastHeardMs,
    clockSkewMs: clockSkewMs(agent),
    qps: online ? liveWorkQpsOf(agent) : null,
    p50LatencyMs: latencyQuantileMs(latencyCounts, 0.5),
    p95LatencyMs: latencyQuantileMs(latencyCounts, 0.95),
    forecastPeakQps: forecast === null ? null : medianPeakQps(forecast),
    forecastAccuracy: newest?.forecastAccuracy ?? null,
    override: override ?? null,
  };
}
