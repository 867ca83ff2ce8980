import { minuteMs } from "#platform/time.ts";
import type { Beat } from "#protocol/messages.ts";
import type { AgentState } from "./agent-state.ts";

/** A beat with its arrival by the controller's clock; the agent's own may be off. */
export interface KeptBeat {
  readonly atMs: number;
  readonly beat: Beat;
}

/** Age at which a beat is forgotten. */
const beatsKeptMs = minuteMs;
/** Beats kept of an agent that sends them faster than every ten seconds. */
const maxBeats = 6;

/** Takes in a beat; null for one of another boot, or one that is no newer than the last. */
export function observeBeat(state: AgentState, beat: Beat, nowMs: number): AgentState | null {
  if (beat.bootId !== state.bootId) return null;
  const kept = beatsOf(state, nowMs);
  const newest = kept.at(-1);
  if (newest !== undefined && beat.sentAtMs <= newest.beat.sentAtMs) return null;
  return { ...state, lastHeardMs: nowMs, beats: [...kept, { atMs: nowMs, beat }].slice(-maxBeats) };
}

/** Beats that came within `withinMs`, oldest first. */
export function beatsOf({ beats }: Pick<AgentState, "beats">, nowMs: number, withinMs = beatsKeptMs): KeptBeat[] {
  return beats.filter(({ atMs }) => atMs <= nowMs && nowMs - atMs <= withinMs);
}
