import { agentConditions } from "./agent-facts.ts";
import { valuesOf } from "./agent-filter.ts";
import type { WatchedAgent } from "./fleet-watch.ts";

type SortValue = string | number | null;

const whileOnline = (watched: WatchedAgent, value: number | null) => (watched.condition === "offline" ? null : value);

/** Values that agents can be sorted by. */
const sortValues = {
  agentId: ({ agent }) => agent.agentId,
  state: ({ condition }) => agentConditions.indexOf(condition),
  qps: (watched) => whileOnline(watched, watched.facts.workPerS),
  capacity: ({ facts }) => facts.capacityPerS,
  load(watched) {
    const { workPerS, capacityPerS } = watched.facts;
    return whileOnline(watched, workPerS === null || !capacityPerS ? null : workPerS / capacityPerS);
  },
  p95: ({ facts }) => facts.p95Ms,
  watts: (watched) => whileOnline(watched, watched.facts.watts),
  temperature: (watched) => whileOnline(watched, watched.facts.temperatureC),
  region: (watched) => valuesOf(watched, "region")[0] ?? null,
  version: (watched) => valuesOf(watched, "version")[0] ?? null,
  lastHeard: ({ agent }) => agent.lastHeardMs,
} as const satisfies Record<string, (watched: WatchedAgent) => SortValue>;

export type SortKey = keyof typeof sortValues;
export const sortKeys = Object.keys(sortValues) as SortKey[];

/** Sorts agents, given in the order of their ids, by a value; unknown ones are last either way, and equal ones stay in their order. */
export function sortAgents(agents: readonly WatchedAgent[], key: SortKey, isDescending: boolean): WatchedAgent[] {
  if (key === "agentId") return isDescending ? [...agents].reverse() : [...agents];
  const of: (watched: WatchedAgent) => SortValue = sortValues[key];
  const sign = isDescending ? -1 : 1;
  return agents
    .map((watched) => ({ watched, value: of(watched) }))
    .sort((a, b) => {
      if (a.value === b.value) return 0;
      if (a.value === null) return 1;
      if (b.value === null) return -1;
      return a.value < b.value ? -sign : sign;
    })
    .map(({ watched }) => watched);
}
