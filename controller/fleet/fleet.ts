import { type AgentState, liveQpsOf } from "./agent-state.ts";
import { createFleetTraffic } from "./traffic/fleet-traffic.ts";

export type Fleet = ReturnType<typeof createFleet>;

/** State of all agents and of their traffic together, in memory; the store has what outlives the process. */
export function createFleet() {
  const states = new Map<string, AgentState>();
  /** Ids in order; null after one has come or gone. Sorting anew for each of many readers would cost more than all they read. */
  let sorted: readonly string[] | null = null;
  const ids = () => {
    sorted ??= [...states.keys()].sort((a, b) => a.localeCompare(b));
    return sorted;
  };
  const statesOf = (some: readonly string[]) => some.map((agentId) => states.get(agentId) as AgentState);
  return {
    traffic: createFleetTraffic(),
    get: (agentId: string) => states.get(agentId),
    put(state: AgentState): void {
      if (!states.has(state.agentId)) sorted = null;
      states.set(state.agentId, state);
    },
    remove(agentId: string): void {
      if (states.delete(agentId)) sorted = null;
    },
    /** All agents, by id. */
    agents: () => statesOf(ids()),
    /** Up to `limit` agents behind `after` in the order of their ids, from the first one for null. */
    page(after: string | null, limit: number): AgentState[] {
      const all = ids();
      const start = after === null ? 0 : all.findIndex((agentId) => agentId.localeCompare(after) > 0);
      return start < 0 ? [] : statesOf(all.slice(start, start + limit));
    },
    get size() {
      return states.size;
    },
    /** After the clock was set back: moves times in the future to now, so that silent agents don't stay online. */
    healClock(nowMs: number): void {
      for (const state of states.values()) {
        if (state.lastHeardMs > nowMs) states.set(state.agentId, { ...state, lastHeardMs: nowMs });
      }
    },
  };
}

/** Sum of the agents' rates over their newest live minutes, texts per second; null when no agent has one. */
export function liveQps(agents: readonly AgentState[], minutes = 1): number | null {
  const rates = agents.map((agent) => liveQpsOf(agent, minutes)).filter((rate) => rate !== null);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}
