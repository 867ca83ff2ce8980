import type { Eviction, LoadDecision } from "./decide-eviction.ts";

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;

/** Returns the sentence for a log line or an error, about the model that is to be loaded. */
export function explainLoad(decision: Exclude<LoadDecision, { kind: "load" }>): string {
  const { needBytes, pinnedBytes, budgetBytes, missingBytes } = decision.memory;
  switch (decision.rule) {
    case "over-budget": {
      const pinned = pinnedBytes > 0 ? `, of which pinned models take ${megabytes(pinnedBytes)}` : "";
      return `it needs about ${megabytes(needBytes)}, more than fits in ${megabytes(budgetBytes)}${pinned}`;
    }
    case "least-recently-used":
      return `${megabytes(missingBytes)} are missing: ${decision.ids.join(", ")} unused for longest`;
    case "after-last-request":
      return `${megabytes(missingBytes)} are missing until ${[...decision.evicting, ...decision.ids].join(", ")} has ended`;
  }
}

export function explainEviction(eviction: Eviction): string {
  return eviction.cause === "idle"
    ? `unused for ${Math.floor(eviction.unusedMs / 1000)} s`
    : `${megabytes(eviction.excessBytes)} over the budget`;
}
