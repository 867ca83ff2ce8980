import { minuteMs, secondMs } from "#platform/time.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { AgentState } from "./agent-state.ts";

/** Offset of an agent's clock at the arrival of a live minute, which is sent as it ends. Negative: behind the controller's. */
export interface ClockSample {
  readonly atMs: number;
  readonly offsetMs: number;
}

/** Smaller offsets are those of the network and of a busy machine. */
const minSkewMs = 2 * minuteMs;
/** Time that two minutes lie apart that come as they end; what a broker held back comes at once. */
const minApartMs = 30 * secondMs;
/** Difference of two offsets of one clock. */
const maxDifferenceMs = 45 * secondMs;

/** Takes in the arrival of a live minute; others say nothing of the clock. */
export function observeClock(state: AgentState, data: MinuteData, nowMs: number): AgentState {
  if (data.historical) return state;
  const last: ClockSample = { atMs: nowMs, offsetMs: data.traffic.minuteStartMs + minuteMs - nowMs };
  const before = state.clock?.last;
  const agree = before !== undefined && Math.abs(last.offsetMs - before.offsetMs) <= maxDifferenceMs;
  const isFlood = before !== undefined && Math.abs(nowMs - before.atMs) < minApartMs;
  // One minute may be late: only two in a row that come at their distance show a wrong clock.
  if (isFlood && !agree) return { ...state, clock: { last, skewMs: 0 } };
  if (isFlood) return state;
  const isWrong = agree && Math.min(Math.abs(last.offsetMs), Math.abs(before.offsetMs)) >= minSkewMs;
  return { ...state, clock: { last, skewMs: isWrong ? last.offsetMs : 0 } };
}

/** Offset of an agent's clock from the controller's where it is wrong by minutes, else 0. Negative: behind. */
export const clockSkewMs = ({ clock }: Pick<AgentState, "clock">): number => clock?.skewMs ?? 0;

/** Time of an agent's minute by the controller's clock. */
export function startByOwnClock(agent: Pick<AgentState, "clock">, minuteStartMs: number): number {
  return minuteStartMs - Math.round(clockSkewMs(agent) / minuteMs) * minuteMs;
}

/** Start of the newest live minute by the controller's clock; -∞ without one. */
export function newestMinuteMs(agent: Pick<AgentState, "clock" | "recent">): number {
  const newest = agent.recent.at(-1);
  return newest === undefined ? Number.NEGATIVE_INFINITY : startByOwnClock(agent, newest.traffic.minuteStartMs);
}

/** Describes the wrong clocks among agents; null: all are right. */
export function explainSkew(agents: readonly Pick<AgentState, "agentId" | "clock">[]): string | null {
  const wrong = agents.flatMap((agent) => {
    const skewMs = clockSkewMs(agent);
    if (skewMs === 0) return [];
    return `${agent.agentId} is ${Math.round(Math.abs(skewMs) / minuteMs)} min ${skewMs < 0 ? "behind" : "ahead"}`;
  });
  if (wrong.length === 0) return null;
  const shown = wrong.slice(0, maxNamed).join(", ");
  return `clocks differ from this controller's: ${shown}${wrong.length > maxNamed ? `, and ${wrong.length - maxNamed} more` : ""}`;
}

const maxNamed = 5;
