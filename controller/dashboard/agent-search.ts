import { secondMs } from "#platform/time.ts";
import type { AgentState } from "../fleet/agent-state.ts";
import { type FilterTerm, meetsFilter } from "./agent-filter.ts";
import type { FleetWatch, WatchedAgent } from "./fleet-watch.ts";
import { type SortKey, sortAgents } from "./sort-agents.ts";

/** Order of a list of agents. */
export interface AgentOrder {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

/** Time for which a list is given again: pages ask every few seconds, many of them for the same. */
const freshMs = 2 * secondMs;
const maxKept = 32;

interface Kept {
  readonly atMs: number;
  readonly agentIds: readonly string[];
}

/** Lists of agents that meet a filter, in an order. Each is made at most every two seconds, however many ask for it. */
export class AgentSearch {
  readonly #watch: Pick<FleetWatch, "look" | "agents">;
  readonly #agents: () => readonly AgentState[];
  readonly #monotonicMs: () => number;
  readonly #kept = new Map<string, Kept>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** @param agents all agents in the order of their ids */
  constructor(
    watch: Pick<FleetWatch, "look" | "agents">,
    agents: () => readonly AgentState[],
    monotonicMs: () => number = () => performance.now(),
  ) {
    this.#watch = watch;
    this.#agents = agents;
    this.#monotonicMs = monotonicMs;
  }

  /** Ids of the agents that meet all terms of a filter, in their order. */
  find(filter: string, terms: readonly FilterTerm[], { key, isDescending }: AgentOrder): readonly string[] {
    const name = JSON.stringify([filter, key, isDescending]);
    const atMs = this.#monotonicMs();
    const known = this.#kept.get(name);
    if (known !== undefined && atMs - known.atMs < freshMs) return known.agentIds;
    if (atMs - this.#lookedAtMs >= freshMs) {
      this.#watch.look();
      this.#lookedAtMs = atMs;
    }
    const met: WatchedAgent[] = [];
    for (const { agentId } of this.#agents()) {
      const watched = this.#watch.agents.get(agentId);
      if (watched !== undefined && meetsFilter(watched, terms)) met.push(watched);
    }
    const agentIds = sortAgents(met, key, isDescending).map(({ agent }) => agent.agentId);
    this.#kept.delete(name);
    this.#kept.set(name, { atMs, agentIds });
    for (const [oldest] of this.#kept) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return agentIds;
  }
}
