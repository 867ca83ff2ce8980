import { addLatencyCounts, emptyLatencyCounts, latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { AgentRole, Birth, MinuteData, Presence, Reported } from "#protocol/messages.ts";

/** What is known of one agent. Values are never changed in place: every message makes a new state. */
export interface AgentState {
  readonly agentId: string;
  /** The boot that is alive as far as is known; messages of other boots are history. */
  readonly bootId: string | null;
  readonly presence: Presence | null;
  readonly birth: Birth | null;
  readonly reported: Reported | null;
  /** When that came; null when it was known before this controller started. */
  readonly reportedAtMs: number | null;
  /** By the controller's clock. */
  readonly lastHeardMs: number;
  /** The highest seq taken in of the present boot. */
  readonly lastSeq: number;
  /** The newest live minutes of the present boot, oldest first. */
  readonly recent: readonly MinuteData[];
}

/** A message's effect: the new state, and why the agent should introduce itself again, if it should. */
export interface Observation {
  readonly state: AgentState;
  readonly rebirthReason: string | null;
}

/** As many live minutes are kept at hand: for the latency quantiles of the API and for {@link liveQpsOf}. */
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
  };
}

function withBoot(state: AgentState, bootId: string): AgentState {
  return state.bootId === bootId ? state : { ...state, bootId, lastSeq: 0, recent: [] };
}

/** The will of a session that a new one has replaced says nothing about the new one: null. */
export function observePresence(state: AgentState, presence: Presence, nowMs: number): Observation | null {
  const ofOldBoot = state.bootId !== null && presence.bootId !== state.bootId;
  if (presence.status === "offline" && ofOldBoot) return null;
  return { state: { ...withBoot(state, presence.bootId), presence, lastHeardMs: nowMs }, rebirthReason: null };
}

/** A birth replaces what was known of the device; with a new boot id a new session begins. */
export function observeBirth(state: AgentState, birth: Birth, nowMs: number): Observation {
  return { state: { ...withBoot(state, birth.bootId), birth, lastHeardMs: nowMs }, rebirthReason: null };
}

/** What an older session reported (retained at the broker) does not replace what a newer one did. */
export function observeReported(state: AgentState, reported: Reported, nowMs: number): Observation | null {
  if (state.bootId !== null && reported.bootId !== state.bootId) return null;
  return { state: { ...state, reported, reportedAtMs: nowMs, lastHeardMs: nowMs }, rebirthReason: null };
}

/** A minute that lies further ahead than this was stamped by a clock that is wrong: the agent's or the controller's. */
export const mostAheadMs = 600_000;

/** A minute that has been stored. Historical ones, those of other boots and those of the future don't count as live. */
export function observeMinute(state: AgentState, data: MinuteData, nowMs: number): Observation {
  if (data.bootId !== state.bootId) {
    const rebirthReason = data.historical ? null : `live data of boot ${data.bootId}, which has not introduced itself`;
    return { state: { ...state, lastHeardMs: nowMs }, rebirthReason };
  }
  const missing = data.seq - state.lastSeq - 1;
  const reasons: string[] = [];
  if (missing > 0) reasons.push(`${missing} record(s) missing before seq ${data.seq}`);
  if (state.birth?.bootId !== data.bootId) reasons.push("no birth of this boot");
  const isAhead = (minute: MinuteData) => minute.traffic.minuteStartMs > nowMs + mostAheadMs;
  const recent = state.recent.filter((minute) => !isAhead(minute));
  const newestMs = recent.at(-1)?.traffic.minuteStartMs ?? Number.NEGATIVE_INFINITY;
  const { minuteStartMs } = data.traffic;
  // By its time first: a number far ahead, which somebody else may have said, must not hide all minutes that follow.
  const isNewest = minuteStartMs > newestMs || (minuteStartMs === newestMs && data.seq > state.lastSeq);
  const live = !data.historical && !isAhead(data) && isNewest;
  return {
    state: {
      ...state,
      lastHeardMs: nowMs,
      lastSeq: Math.max(state.lastSeq, data.seq),
      recent: live ? [...recent, data].slice(-recentMinutes) : recent,
    },
    rebirthReason: reasons.length > 0 ? reasons.join("; ") : null,
  };
}

export type Availability = { readonly online: true } | { readonly online: false; readonly reason: string };

/** Whether the agent can be counted on: connected, and heard of within `staleAfterMs`. */
export function availabilityOf(state: AgentState, nowMs: number, staleAfterMs: number): Availability {
  const { presence } = state;
  if (presence === null) return { online: false, reason: "has not introduced itself" };
  if (presence.status === "offline") return { online: false, reason: "offline" };
  // It said that it goes to sleep: a peer wakes it when it is wanted.
  if (presence.asleep !== undefined) return { online: true };
  const silentMs = nowMs - state.lastHeardMs;
  if (silentMs > staleAfterMs) return { online: false, reason: `not heard of for ${Math.round(silentMs / 1000)} s` };
  return { online: true };
}

/** Requests answered in a minute, over all models. */
export function requestsOf(data: Pick<MinuteData, "traffic">): number {
  return data.traffic.models.reduce((sum, { requests }) => sum + requests, 0);
}

/** Texts embedded in a minute, over all models: what capacity is measured in, since a request may hold one text or a thousand. */
export function textsOf(data: Pick<MinuteData, "traffic">): number {
  return data.traffic.models.reduce((sum, { texts }) => sum + texts, 0);
}

/** The mean rate of the agent's newest live minutes, texts a second; null when there is none. */
export function liveQpsOf(state: AgentState, minutes = 1): number | null {
  const newest = state.recent.slice(-minutes);
  if (newest.length === 0) return null;
  return newest.reduce((sum, data) => sum + textsOf(data), 0) / newest.length / 60;
}

/** The latency in ms that a share `quantile` of the requests of the last minutes stayed under, of one or several agents. */
export function recentLatencyMs(states: readonly AgentState[], quantile: number): number | null {
  let counts = emptyLatencyCounts();
  for (const { recent } of states) {
    for (const { traffic } of recent) {
      for (const model of traffic.models) counts = addLatencyCounts(counts, model.latencyCounts);
    }
  }
  return latencyQuantileMs(counts, quantile);
}

/** The role the agent has by its own word. */
export function ownRoleOf(state: AgentState): AgentRole | null {
  const { presence, reported } = state;
  if (reported !== null && (presence === null || reported.sentAtMs >= presence.sentAtMs)) return reported.role;
  return presence?.role ?? null;
}
