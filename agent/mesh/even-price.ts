import type { PassedOver, RouteDecision } from "./routing/decide-route.ts";
import { priceOf, type Remote } from "./routing/remote.ts";

/** Reasons for which a backend was passed over although it could have been asked. */
const askable: ReadonlySet<PassedOver | undefined> = new Set(["too-late", "busy", "dearer", "fuller"] as const);

/**
 * Mean price of a request over all backends that could have been asked: that of a router which draws them evenly.
 * @param asked.homeUsd price here; null: this agent has not the model
 */
export function evenUsd(asked: {
  readonly decision: Pick<Extract<RouteDecision, { kind: "route" }>, "backend" | "passedOver">;
  readonly remotes: readonly Remote[];
  readonly tokens: number;
  readonly homeUsd: number | null;
}): number {
  const { decision, remotes, tokens, homeUsd } = asked;
  const { backend, passedOver } = decision;
  const couldAnswer = (id: string) => id === backend || askable.has(passedOver[id]);
  let usd = 0;
  let count = 0;
  if (homeUsd !== null && couldAnswer("home")) {
    usd += homeUsd;
    count += 1;
  }
  const home = homeUsd === null ? null : { usdPerRequest: homeUsd };
  for (const remote of remotes) {
    if (!couldAnswer(remote.id)) continue;
    usd += priceOf(remote, tokens, home);
    count += 1;
  }
  return count === 0 ? 0 : usd / count;
}
