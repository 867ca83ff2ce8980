import { type AgentState, ownRoleOf } from "#controller/fleet/agent-state.ts";
import type { AgentCandidate, SloInput } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { burnRate } from "./burn-rate.ts";
import { decideSloResponse, noMemory, type SloMemory, type SloResponse } from "./decide-slo-response.ts";
import { explainSloResponse } from "./explain-slo-response.ts";
import type { AgentCapacity } from "./observe-capacity.ts";
import { observeService } from "./observe-service.ts";
import type { SloConfig } from "./slo-config.ts";

export interface ObservedSlo {
  readonly response: SloResponse;
  /** Figures that decisions rest on; absent while no agent has told what its users felt. */
  readonly input: SloInput | undefined;
  /** Promise that was not kept to users, in half a sentence; null: they got what they are promised. */
  readonly missed: string | null;
  /** Rate at which the error budget is used. */
  readonly burn: number;
}

/** Follows what users feel from round to round. */
export class SloWatch {
  readonly #config: SloConfig;
  readonly #targetUtilization: number;
  #memory: SloMemory = noMemory;

  constructor(config: SloConfig, targetUtilization: number) {
    this.#config = config;
    this.#targetUtilization = targetUtilization;
  }

  observe(
    agents: readonly AgentState[],
    candidates: readonly AgentCandidate[],
    capacities: ReadonlyMap<string, AgentCapacity>,
    nowMs: number,
  ): ObservedSlo {
    const states = new Map(agents.map((agent) => [agent.agentId, agent]));
    const serving = candidates
      .filter(({ active, unavailable }) => active && unavailable === null)
      .flatMap(({ agentId, capacityQps }) => {
        const agent = states.get(agentId);
        if (agent === undefined) return [];
        const service = observeService(agent, this.#config, nowMs);
        return { agentId, capacityQps, serves: ownRoleOf(agent) === "active", service };
      });
    const areServing = new Set(serving.map(({ agentId }) => agentId));
    const entries = agents.flatMap((agent) => {
      const service = areServing.has(agent.agentId) ? null : observeService(agent, this.#config, nowMs);
      return service !== null && service.requestsPerS > 0 ? [service] : [];
    });
    const { response, memory } = decideSloResponse(serving, this.#targetUtilization, this.#memory, nowMs, entries);
    this.#memory = memory;
    const { rule, demandQps, starting } = response;
    const burn = burnRate([...serving.flatMap(({ service }) => service ?? []), ...entries], this.#config);
    return {
      ...{ response, burn },
      input: demandQps === null ? undefined : { rule, demandQps, starting },
      missed: rule === "kept" ? null : explainSloResponse(response, capacities),
    };
  }
}
