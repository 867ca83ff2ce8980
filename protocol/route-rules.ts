import { ownValue } from "./own-value.ts";

/** Meaning of the rules by which an agent chooses a backend for a request. */
export const routeRules = {
  home: "this agent costs no more than the others",
  only: "the only one available",
  cheapest: "the cheapest that answers in time",
  "less-loaded": "of those that cost the same, it has less in flight for its capacity",
  "all-busy": "all that answer in time are busy, and it is the cheapest of them",
  soonest: "none is expected to answer in time, and it is the fastest",
  "last-resort": "only backends that have not been heard from lately are left",
} as const;

/** Meaning of the rules for which no backend was chosen. */
export const routeRefusals = {
  "no-region": "no backend is in the tenant's regions",
  "no-model": "no backend has the model",
  "none-left": "every backend with the model has been tried, is stopping, is on standby or has failed recently",
  "too-late": "no backend is expected to answer in time",
} as const;

/** Returns what a rule means; null for one of another version. */
export function ruleToText(rule: string): string | null {
  const all: Readonly<Record<string, string>> = { ...routeRules, ...routeRefusals };
  return ownValue(all, rule) ?? null;
}
