import type { PassedOver, PassedOvers, RouteDecision, RouteRefusal, RouteRule } from "./decide-route.ts";

const rules: Record<RouteRule, string> = {
  home: "this agent costs no more than the others",
  only: "the only one that can be asked",
  cheapest: "the cheapest that answers in time",
  "less-loaded": "of those that cost the same, it has less in flight for its capacity",
  "all-busy": "all that answer in time are busy, and it is the cheapest of them",
  soonest: "none is expected in time, and it is the soonest",
  "last-resort": "none but backends that were not heard of lately is left",
};

const refusals: Record<RouteRefusal, string> = {
  "no-region": "no backend stands in the tenant's regions",
  "no-model": "no backend has the model",
  "none-left": "every backend that has the model was asked, is stopping, stands by or has failed lately",
  "too-late": "no backend is expected to answer in time",
};

const passedOver: Record<PassedOver, string> = {
  region: "in another region",
  "other-vectors": "with other vectors",
  tried: "asked before",
  standby: "on standby",
  draining: "draining",
  "circuit-open": "failing",
  "too-late": "too slow",
  busy: "busy",
  dearer: "dearer",
  fuller: "fuller",
};

const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** Returns `2 dearer, 1 busy`; "" for none. */
function othersToText(others: PassedOvers): string {
  const counts = new Map<PassedOver, number>();
  for (const reason of Object.values(others)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${passedOver[reason]}`).join(", ");
}

/** Returns the sentence that a person reads about a route. */
export function explainRoute(decision: RouteDecision): string {
  const others = othersToText(decision.passedOver);
  if (decision.kind === "refuse") return refusals[decision.rule] + (others === "" ? "" : ` (${others})`);
  const { backend, rule, usdPerRequest, expectedMs } = decision;
  const time = expectedMs === null ? "" : `, ${milliseconds(expectedMs)} expected`;
  const price = `${usdPerRequest === 0 ? "0" : usdPerRequest.toPrecision(2)} $`;
  return `${backend}: ${rules[rule]} (${price}${time}${others === "" ? "" : `; others: ${others}`})`;
}
