import { routeRefusals, routeRules } from "#protocol/route-rules.ts";
import type { PassedOver, PassedOvers, RouteDecision, RouteRefusal, RouteRule } from "./decide-route.ts";

const rules: Record<RouteRule, string> = routeRules;
const refusals: Record<RouteRefusal, string> = routeRefusals;

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

/** Returns `2 more expensive, 1 busy`; "" for none. */
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
