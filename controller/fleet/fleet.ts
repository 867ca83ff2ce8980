import { type AgentState, liveQpsOf } from "./agent-state.ts";
import { createFleetTraffic, type FleetTraffic } from "./fleet-traffic.ts";

/** State of all agents and of their traffic together, in memory; the store has what outlives the process. */
export interface Fleet {
  readonly traffic: FleetTraffic;
  get(agentId: string): AgentState | undefined;
  put(state: AgentState): void;
  remove(agentId: string): void;
  /** All agents, by id. */
  agents(): AgentState[];
  readonly size: number;
  /** After the clock was set back: moves times in the future to now, so that silent agents don't stay online. */
  healClock(nowMs: number): void;
}

export function createFleet(): Fleet {
  const states = new Map<string, AgentState>();
  const traffic = createFleetTraffic();
  return {
    traffic,
    get: (agentId) => states.get(agentId),
    put(state) {
      states.set(state.agentId, state);
    },
    remove(agentId) {
      states.delete(agentId);
    },
    agents: () => [...states.values()].sort((a, b) => a.agentId.localeCompare(b.agentId)),
    get size() {
      return states.size;
    },
    healClock(nowMs) {
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
