import type { MinuteTraffic, ModelTraffic, RefusalCause } from "./messages.ts";

type Counts = Pick<ModelTraffic, "texts" | "cachedTexts" | "refused">;

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

/** Texts that were asked for: answered, from the cache or not, and refused for whatever cause. */
export function offeredTexts({ texts, refused = [] }: Counts): number {
  return refused.reduce((sum, each) => sum + each.texts, texts);
}

/** {@link demandTexts} of a minute, over all models. */
export function demandOf({ models }: Pick<MinuteTraffic, "models">): number {
  return models.reduce((sum, model) => sum + demandTexts(model), 0);
}
