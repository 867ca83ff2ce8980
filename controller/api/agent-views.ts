import { intendedRole, unavailability } from "#controller/scaling/active-agents/observe-fleet.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import type { Desired } from "#protocol/messages.ts";
import { wattsOf } from "#protocol/minute-figures.ts";
import { type AgentState, availabilityOf, liveWorkQpsOf, ownRoleOf, recentLatencyMs } from "../fleet/agent-state.ts";
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

/** Part of {@link agentView} that sums over the fleet rest on: quantiles of each of ten thousand agents would cost more than all the rest. */
export function briefView(agent: AgentState, desired: Desired | undefined, staleAfterMs: number, nowMs: number) {
  const { agentId, birth } = agent;
  const { online } = availabilityOf(agent, nowMs, staleAfterMs);
  return {
    agentId,
    status: online ? ("online" as const) : ("offline" as const),
    role: { desired: intendedRole(agent, desired), reported: ownRoleOf(agent) },
    capacityQps: birth?.board.powerModes[0]?.capacityQps ?? null,
    watts: online ? wattsOf(agent.recent.at(-1)) : null,
  };
}

export type BriefView = ReturnType<typeof briefView>;

/** State of an agent as the API shows it at `nowMs`; after `staleAfterMs` of silence it counts as unavailable. */
export function agentView(
  agent: AgentState,
  desired: Desired | undefined,
  override: Override | undefined,
  staleAfterMs: number,
  nowMs: number,
): AgentView {
  const { presence, birth, reported } = agent;
  const brief = briefView(agent, desired, staleAfterMs, nowMs);
  const online = brief.status === "online";
  const newest = agent.recent.at(-1);
  const forecast = newest?.forecast ?? null;
  return {
    ...brief,
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
    lastHeardMs: agent.lastHeardMs,
    clockSkewMs: clockSkewMs(agent),
    qps: online ? liveWorkQpsOf(agent) : null,
    p50LatencyMs: recentLatencyMs([agent], 0.5),
    p95LatencyMs: recentLatencyMs([agent], 0.95),
    forecastPeakQps: forecast === null ? null : medianPeakQps(forecast),
    forecastAccuracy: newest?.forecastAccuracy ?? null,
    override: override ?? null,
  };
}

export function countAgents(views: readonly Pick<BriefView, "status" | "role">[]) {
  const counts = { active: 0, standby: 0, draining: 0, offline: 0 };
  for (const { status, role } of views) {
    if (status === "offline") counts.offline += 1;
    else counts[role.reported ?? role.desired ?? "standby"] += 1;
  }
  return counts;
}
