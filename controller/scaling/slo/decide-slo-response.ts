import { minuteMs, secondMs } from "#platform/time.ts";
import type { SloMiss } from "./find-misses.ts";

/** Service that users of one agent felt in the newest seconds. Rates are per second. */
export interface AgentService {
  readonly agentId: string;
  /** Length of the stretch that the figures are of. */
  readonly windowS: number;
  /** Requests that were offered, and of these the ones refused for want of capacity and those that failed. */
  readonly requestsPerS: number;
  readonly refusedPerS: number;
  readonly failedPerS: number;
  /** Texts that needed capacity, and those that got it. */
  readonly demandQps: number;
  readonly servedQps: number;
  /** Texts that this agent computed or should have, those that entered elsewhere too. */
  readonly workQps: number;
  readonly misses: readonly SloMiss[];
}

/** An agent that is meant to serve and can. */
export interface ServingAgent {
  readonly agentId: string;
  /** Rate that it is believed to carry. */
  readonly capacityQps: number;
  /** False while it has been told to serve and does not do so yet. */
  readonly serves: boolean;
  /** Null when it has not told. */
  readonly service: AgentService | null;
}

/** Capacity that was found wanting: those agents should have carried what was offered, and did not. */
export interface SloMemory {
  /** Need as a multiple of the stated capacity of `agentIds`; 1: nothing is remembered. */
  readonly ratio: number;
  readonly agentIds: readonly string[];
  readonly raisedAtMs: number;
  readonly decayedAtMs: number;
}

export const noMemory: SloMemory = { ratio: 1, agentIds: [], raisedAtMs: 0, decayedAtMs: 0 };

export interface SloResponse {
  /** kept: the SLO is met; otherwise the worst violation. */
  readonly rule: "kept" | "refused" | "slow" | "failed";
  /** Rate to have capacity for; null when no agent has told. */
  readonly demandQps: number | null;
  /** Agents that were told to serve and do not yet. */
  readonly starting: readonly string[];
  /** Agents whose users are affected. */
  readonly agents: readonly AgentService[];
  /** Agents that should compute faster for them: themselves, or all that serve where the requests enter elsewhere. */
  readonly computing: readonly string[];
  /** Agents that serve and are hardly asked, while users of others are affected: requests do not reach them. */
  readonly unused: readonly string[];
}

/** Maximum factor by which one step raises what is needed, and min: less would be within the error of the figures. */
const maxStep = 2;
const minStep = 1.25;
/** Time that a step is given to show. */
const stepMs = 30 * secondMs;
/** Part of an equal share of the demand below which an agent is hardly asked. */
const hardlyAsked = 0.1;
/** A ratio below this is forgotten. */
const leastRatio = 1.05;

const causes = ["refused", "slow", "failed"] as const;

/** Returns by how much more than was served is needed, as far as that can be told. */
function shortage(troubled: readonly AgentService[]): number {
  const offered = troubled.reduce((sum, { demandQps }) => sum + demandQps, 0);
  const served = troubled.reduce((sum, { servedQps }) => sum + servedQps, 0);
  const late = troubled.flatMap(({ misses }) =>
    misses.flatMap((miss) => (miss.rule === "slow" ? miss.p95Ms / miss.targetMs : [])),
  );
  const ratio = Math.max(served > 0 ? offered / served : maxStep, ...late);
  return Math.min(maxStep, Math.max(minStep, ratio));
}

/** Forgets half of the excess a minute. */
function decay(memory: SloMemory, nowMs: number): SloMemory {
  const minutes = Math.floor((nowMs - memory.decayedAtMs) / minuteMs);
  if (memory.ratio === 1 || minutes < 1) return memory;
  const ratio = 1 + (memory.ratio - 1) / 2 ** minutes;
  return ratio < leastRatio ? noMemory : { ...memory, ratio, decayedAtMs: memory.decayedAtMs + minutes * minuteMs };
}

/**
 * Decides what capacity the fleet needs by what users felt, at the agents that serve and at `entries`, which pass requests on to them. What was offered has to be carried, refused or not. Where the agents that serve
 * are believed to carry it and users are refused or wait anyway, the belief is wrong: the need rises in proportion to what was offered
 * and served, by ×2 at most, then waits for the step to show. It decays once the objective is kept.
 */
export function decideSloResponse(
  agents: readonly ServingAgent[],
  targetUtilization: number,
  before: SloMemory,
  nowMs: number,
  entries: readonly AgentService[] = [],
): { readonly response: SloResponse; readonly memory: SloMemory } {
  const serving = agents.flatMap(({ service }) => service ?? []);
  const services = [...serving, ...entries];
  const troubled = services.filter(({ misses }) => misses.length > 0);
  const rules = new Set(troubled.flatMap(({ misses }) => misses.map(({ rule }) => rule)));
  const rule = causes.find((cause) => rules.has(cause)) ?? "kept";
  const starting = agents.filter(({ serves }) => !serves).map(({ agentId }) => agentId);
  const offeredQps = services.reduce((sum, { demandQps }) => sum + demandQps, 0);
  const believedQps = (ids: readonly string[]) => {
    const wanted = new Set(ids);
    return agents.reduce((sum, each) => sum + (wanted.has(each.agentId) ? each.capacityQps : 0), 0) * targetUtilization;
  };
  const needOf = ({ ratio, agentIds }: SloMemory) => (ratio === 1 ? 0 : ratio * believedQps(agentIds));

  const wantsCapacity = rule === "refused" || rule === "slow";
  const unused = agents.filter(
    ({ serves, service }) =>
      wantsCapacity && serves && service !== null && service.workQps < (hardlyAsked * offeredQps) / serving.length,
  );
  let memory = rule === "kept" ? decay(before, nowMs) : { ...before, decayedAtMs: nowMs };
  const everyone = agents.map(({ agentId }) => agentId);
  const isBelievedEnough = Math.max(offeredQps, needOf(memory)) <= believedQps(everyone);
  // More agents would help no more than those that requests do not reach.
  const mayStep = starting.length + unused.length === 0 && Math.abs(nowMs - memory.raisedAtMs) >= stepMs;
  if (wantsCapacity && isBelievedEnough && mayStep) {
    memory = { ratio: shortage(troubled), agentIds: everyone, raisedAtMs: nowMs, decayedAtMs: nowMs };
  }
  // While the SLO is met, seconds say less than minutes.
  const demandQps = services.length === 0 ? null : Math.max(rule === "kept" ? 0 : offeredQps, needOf(memory));
  const ids = unused.map(({ agentId }) => agentId);
  const isAtEntry = entries.some(({ misses }) => misses.length > 0);
  const computing = isAtEntry ? everyone : troubled.map(({ agentId }) => agentId);
  return { response: { rule, demandQps, starting, agents: troubled, computing, unused: ids }, memory };
}
