import { type AgentState, liveQpsOf } from "./agent-state.ts";
import { createFleetTraffic } from "./fleet-traffic.ts";

export type Fleet = ReturnType<typeof createFleet>;

/** State of all agents and of their traffic together, in memory; the store has what outlives the process. */
export function createFleet() {
  const states = new Map<string, AgentState>();
  return {
    traffic: createFleetTraffic(),
    get: (agentId: string) => states.get(agentId),
    put(state: AgentState): void {
      states.set(state.agentId, state);
    },
    remove(agentId: string): void {
      states.delete(agentId);
    },
    /** All agents, by id. */
    agents: () => [...states.values()].sort((a, b) => a.agentId.localeCompare(b.agentId)),
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

/** Sum of the agents' rates over their newest live minutes, texts a second; null when no agent has one. */
export function liveQps(agents: readonly AgentState[], minutes = 1): number | null {
  const rates = agents.map((agent) => liveQpsOf(agent, minutes)).filter((rate) => rate !== null);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}
