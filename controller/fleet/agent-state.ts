import { minuteMs } from "#platform/time.ts";
import { demandOf, offeredTexts, workOf } from "#protocol/demand.ts";
import { emptyLatencyCounts, type LatencyCounts, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { AgentRole, Birth, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import type { KeptBeat } from "./beats.ts";
import type { ClockSample } from "./clock-skew.ts";

/** The controller's knowledge of one agent. Values are never changed in place: every message makes a new state. */
export interface AgentState {
  readonly agentId: string;
  /** The present boot, as far as is known; messages of other boots are history. */
  readonly bootId: string | null;
  readonly presence: Presence | null;
  readonly birth: Birth | null;
  readonly reported: Reported | null;
  /** Arrival of `reported`; null when it was known before this controller started. */
  readonly reportedAtMs: number | null;
  /** By the controller's clock. */
  readonly lastHeardMs: number;
  /** The highest seq taken in of the present boot. */
  readonly lastSeq: number;
  /** The newest live minutes of the present boot, oldest first. */
  readonly recent: readonly MinuteData[];
  /** The newest beats of the present boot, oldest first. */
  readonly beats: readonly KeptBeat[];
  /** The agent's clock beside the controller's; absent before the first live minute. */
  readonly clock?: { readonly last: ClockSample; readonly skewMs: number };
}

/** Cause for which an agent is to introduce itself again. */
export type RebirthCause =
  /** Live data of a boot that has not introduced itself. */
  | { readonly rule: "unknown-boot"; readonly bootId: string }
  /** Records of this boot that did not come. */
  | { readonly rule: "missing-records"; readonly records: number; readonly beforeSeq: number }
  /** Data of this boot without its birth. */
  | { readonly rule: "no-birth" };

/** Live minutes kept per agent, for the latency quantiles of the API and for {@link liveQpsOf}. */
export const recentMinutes = 5;

/** An agent of which nothing but its id is known yet. */
export function unknownAgent(agentId: string, nowMs: number): AgentState {
  return {
    agentId,
    bootId: null,
    presence: null,
    birth: null,
    reported: null,
    reportedAtMs: null,
    lastHeardMs: nowMs,
    lastSeq: 0,
    recent: [],
    beats: [],
  };
}

function withBoot(state: AgentState, bootId: string): AgentState {
  return state.bootId === bootId ? state : { ...state, bootId, lastSeq: 0, recent: [], beats: [] };
}

/** Takes in a presence; null for the will of a session that a new one has replaced. */
export function observePresence(state: AgentState, presence: Presence, nowMs: number): AgentState | null {
  const ofOldBoot = state.bootId !== null && presence.bootId !== state.bootId;
  if (presence.status === "offline" && ofOldBoot) return null;
  return { ...withBoot(state, presence.bootId), presence, lastHeardMs: nowMs };
}

/** Takes in a birth, which replaces the one before; with a new boot id a new session begins. */
export function observeBirth(state: AgentState, birth: Birth, nowMs: number): AgentState {
  return { ...withBoot(state, birth.bootId), birth, lastHeardMs: nowMs };
}

/** Takes in a report; null for that of an older session, which the broker may have retained. */
export function observeReported(state: AgentState, reported: Reported, nowMs: number): AgentState | null {
  if (state.bootId !== null && reported.bootId !== state.bootId) return null;
  return { ...state, reported, reportedAtMs: nowMs, lastHeardMs: nowMs };
}

/** Maximum time by which a minute may start ahead of the controller's clock; beyond it one of the clocks is wrong. */
export const maxAheadMs = 10 * minuteMs;

/** Takes in a stored minute, and names the causes for a rebirth. Historical minutes, those of other boots and those of the future don't count as live. */
export function observeMinute(
  state: AgentState,
  data: MinuteData,
  nowMs: number,
): { readonly state: AgentState; readonly rebirth: readonly RebirthCause[] } {
  if (data.bootId !== state.bootId) {
    const rebirth: RebirthCause[] = data.historical ? [] : [{ rule: "unknown-boot", bootId: data.bootId }];
    return { state: { ...state, lastHeardMs: nowMs }, rebirth };
  }
  const missing = data.seq - state.lastSeq - 1;
  const rebirth: RebirthCause[] = [
    ...(missing > 0 ? [{ rule: "missing-records" as const, records: missing, beforeSeq: data.seq }] : []),
    ...(state.birth?.bootId === data.bootId ? [] : [{ rule: "no-birth" as const }]),
  ];
  const isAhead = (minute: MinuteData) => minute.traffic.minuteStartMs > nowMs + maxAheadMs;
  const recent = state.recent.filter((minute) => !isAhead(minute));
  const newestMs = recent.at(-1)?.traffic.minuteStartMs ?? Number.NEGATIVE_INFINITY;
  const { minuteStartMs } = data.traffic;
  // By time before seq: a forged seq far ahead must not hide the minutes that follow.
  const isNewest = minuteStartMs > newestMs || (minuteStartMs === newestMs && data.seq > state.lastSeq);
  const live = !data.historical && !isAhead(data) && isNewest;
  return {
    state: {
      ...state,
      lastHeardMs: nowMs,
      lastSeq: Math.max(state.lastSeq, data.seq),
      recent: live ? [...recent, data].slice(-recentMinutes) : recent,
    },
    rebirth,
  };
}

export type Availability = { readonly online: true } | { readonly online: false; readonly reason: string };

/** Availability of an agent: online while connected and heard from within `staleAfterMs`. */
export function availabilityOf(state: AgentState, nowMs: number, staleAfterMs: number): Availability {
  const { presence } = state;
  if (presence === null) return { online: false, reason: "has not introduced itself" };
  if (presence.status === "offline") return { online: false, reason: "offline" };
  // A sleeping agent is silent; a peer wakes it on demand.
  if (presence.asleep !== undefined) return { online: true };
  const silentMs = nowMs - state.lastHeardMs;
  if (silentMs > staleAfterMs) return { online: false, reason: `not heard from for ${Math.round(silentMs / 1000)} s` };
  return { online: true };
}

/** Requests answered in a minute, over all models. */
export function requestsOf(data: Pick<MinuteData, "traffic">): number {
  return data.traffic.models.reduce((sum, { requests }) => sum + requests, 0);
}

/** Texts answered in a minute, over all models. Capacity is measured in texts, since a request may hold one or a thousand. */
export function textsOf(data: Pick<MinuteData, "traffic">): number {
  return data.traffic.models.reduce((sum, { texts }) => sum + texts, 0);
}

/** Texts that were asked for in a minute, over all models, answered or not. */
export function offeredOf(data: Pick<MinuteData, "traffic">): number {
  return data.traffic.models.reduce((sum, model) => sum + offeredTexts(model), 0);
}

/** The mean demand of the agent's newest live minutes, texts per second; null when there is none. */
export function liveQpsOf(state: AgentState, minutes = 1): number | null {
  const newest = state.recent.slice(-minutes);
  if (newest.length === 0) return null;
  return newest.reduce((sum, data) => sum + demandOf(data.traffic), 0) / newest.length / 60;
}

/** The mean work of the agent's newest live minute, texts per second: its own requests and those of other agents; null when there is none. */
export function liveWorkQpsOf({ recent }: AgentState): number | null {
  const newest = recent.at(-1);
  return newest === undefined ? null : workOf(newest.traffic) / 60;
}

/** Requests of the last minutes by latency, over one or several agents. */
export function recentLatencyCounts(states: readonly AgentState[]): LatencyCounts {
  const total = emptyLatencyCounts();
  for (const { recent } of states)
    for (const { traffic } of recent)
      for (const { latencyCounts } of traffic.models)
        for (let bucket = 0; bucket < total.length; bucket += 1)
          total[bucket] = (total[bucket] as number) + (latencyCounts[bucket] ?? 0);
  return total;
}

/** Quantile of the latency of the last minutes' requests, in ms, over one or several agents; null without requests. */
export function recentLatencyMs(states: readonly AgentState[], quantile: number): number | null {
  return latencyQuantileMs(recentLatencyCounts(states), quantile);
}

/** The agent's role by its newest own message; null before the first. */
export function ownRoleOf(state: AgentState): AgentRole | null {
  const { presence, reported } = state;
  if (reported !== null && (presence === null || reported.sentAtMs >= presence.sentAtMs)) return reported.role;
  return presence?.role ?? null;
}
