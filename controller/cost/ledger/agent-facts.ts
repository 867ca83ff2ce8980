import { Value } from "@sinclair/typebox/value";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import type { AgentFacts, CostStore } from "../../store/costs/cost-rows.ts";

interface Dated {
  readonly fromMs: number;
  readonly facts: AgentFacts;
}

/** Maximum changes of one agent that are kept; further ones replace the newest. */
const maxChanges = 1000;

type FactsStore = Pick<CostStore, "saveAgentFacts" | "loadAgentFacts" | "markAgentUnrated" | "markUnrated">;

const unknown: AgentFacts = { region: "", board: "", tariffUsdPerKwh: null, amortisationUsdPerHour: null };

const factsOf = ({ region, board, prices }: Birth): AgentFacts => ({ region, board: board.name, ...prices });

/**
 * History of the agents' regions, boards and own prices: an hour that is rated again has those that held then. The first that is known of
 * an agent also holds before.
 */
export class AgentHistory {
  readonly #store: FactsStore;
  readonly #agents = new Map<string, Dated[]>();

  constructor(store: FactsStore) {
    this.#store = store;
  }

  /** Loads what an earlier run knew. */
  async recover(): Promise<void> {
    for (const { agentId, fromMs, facts } of await this.#store.loadAgentFacts()) {
      const known = this.#agents.get(agentId) ?? [];
      known.push({ fromMs, facts });
      this.#agents.set(agentId, known);
    }
  }

  at(agentId: string, timeMs: number): AgentFacts {
    const known = this.#agents.get(agentId);
    if (known === undefined) return unknown;
    return (known.findLast(({ fromMs }) => fromMs <= timeMs) ?? known[0])?.facts ?? unknown;
  }

  /**
   * Notes what an agent says of itself now; it holds from the present minute on.
   * @param isKnown true: no minute of it was rated without knowing it
   */
  async observe(birth: Birth, nowMs: number, isKnown = false): Promise<void> {
    const { agentId } = birth;
    const facts = factsOf(birth);
    const known = this.#agents.get(agentId) ?? [];
    const newest = known.at(-1);
    if (newest !== undefined && Value.Equal(newest.facts, facts)) return;
    const isFull = known.length >= maxChanges;
    const fromMs = isFull && newest !== undefined ? newest.fromMs : Math.floor(nowMs / minuteMs) * minuteMs;
    // What was noted while the clock was ahead gives way.
    this.#agents.set(agentId, [...known.filter((each) => each.fromMs < fromMs), { fromMs, facts }]);
    await this.#store.saveAgentFacts({ agentId, fromMs, facts });
    // Minutes that came before were rated without knowing the agent, or, by clocks that are ahead, as it was before.
    if (newest === undefined) {
      if (!isKnown) await this.#store.markAgentUnrated(agentId);
    } else {
      const hourStartMs = Math.floor(fromMs / hourMs) * hourMs;
      const rated = [hourStartMs, hourStartMs + hourMs].map((startMs) => ({ agentId, hourStartMs: startMs }));
      await this.#store.markUnrated(rated);
    }
  }
}
