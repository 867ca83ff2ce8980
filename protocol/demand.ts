import type { MinuteTraffic, ModelTraffic, RefusalCause } from "./messages.ts";

type Counts = Pick<ModelTraffic, "texts" | "cachedTexts" | "refused" | "sentTexts" | "peerTexts">;

/**
 * Causes of refusals that call for capacity. A request refused by a standby agent is sent to a peer, where it counts; one beyond its caller's
 * quota is not to be served.
 */
const callForCapacity: ReadonlySet<RefusalCause> = new Set(["queue", "deadline", "error"]);

/** Texts that needed capacity: answered ones that were not in the cache, and those refused for want of it. */
export function demandTexts({ texts, cachedTexts = 0, refused = [] }: Counts): number {
  const unserved = refused.filter(({ cause }) => callForCapacity.has(cause));
  return texts - cachedTexts + unserved.reduce((sum, each) => sum + each.texts, 0);
}

/**
 * Texts that called for this agent's own capacity: its demand without what was computed elsewhere, and what it computed for others. Over a fleet
 * it adds up to the demand but for what left the fleet. Power modes and an agent's own forecast follow it; a fleet's forecast, plan and bill
 * follow the demand, which is counted where a request entered.
 */
export function workTexts(counts: Counts): number {
  const { sentTexts = 0, peerTexts = 0 } = counts;
  return Math.max(0, demandTexts(counts) - sentTexts) + peerTexts;
}

/** Texts that were asked for: answered, from the cache or not, and refused for whatever cause. */
export function offeredTexts({ texts, refused = [] }: Counts): number {
  return refused.reduce((sum, each) => sum + each.texts, texts);
}

/** {@link workTexts} of a minute, over all models. */
export function workOf({ models }: Pick<MinuteTraffic, "models">): number {
  return models.reduce((sum, model) => sum + workTexts(model), 0);
}

/** {@link demandTexts} of a minute, over all models. */
export function demandOf({ models }: Pick<MinuteTraffic, "models">): number {
  return models.reduce((sum, model) => sum + demandTexts(model), 0);
}
