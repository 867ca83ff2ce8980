import { secondMs } from "#platform/time.ts";
import { type AgentCondition, type AgentFacts, agentConditions } from "./agent-facts.ts";

/** Fields of an agent's row in the order in which it is sent. A row is an array, as ten thousand objects would be mostly names. */
export const rowFields = [
  "agentId",
  "condition",
  "textsPerS",
  "capacityTextsPerS",
  "p95Ms",
  "watts",
  "temperatureC",
  "asOfS",
  "hasNote",
] as const;

/** Values of {@link rowFields}: condition as its place in {@link agentConditions}, time in seconds, note as 0 or 1, null: unknown. */
export type AgentRow = readonly [
  agentId: string,
  condition: number,
  textsPerS: number | null,
  capacityTextsPerS: number | null,
  p95Ms: number | null,
  watts: number | null,
  temperatureC: number | null,
  asOfS: number | null,
  hasNote: 0 | 1,
];

const rounded = (value: number | null, digits: number) => {
  if (value === null) return null;
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
};

/** Row of an agent; of one that is offline the rate and the power are unknown. */
export function agentRow(condition: AgentCondition, facts: AgentFacts, hasNote: boolean): AgentRow {
  const isOnline = condition !== "offline";
  return [
    facts.agentId,
    agentConditions.indexOf(condition),
    isOnline ? rounded(facts.workPerS, 1) : null,
    rounded(facts.capacityPerS, 0),
    rounded(facts.p95Ms, 1),
    isOnline ? rounded(facts.watts, 1) : null,
    isOnline ? rounded(facts.temperatureC, 1) : null,
    facts.minuteEndMs === null ? null : Math.floor(facts.minuteEndMs / secondMs),
    hasNote ? 1 : 0,
  ];
}
