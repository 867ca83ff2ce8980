import { minuteMs } from "#platform/time.ts";

const firstMs = 100;
const maxMs = 5000;
const forgetAfterMs = minuteMs;
const maxNetworks = 1024;

/**
 * Delays the answer to wrong secrets, longer with each from the same network. A client that knows its secret never waits, whichever clients share
 * its address: a 256-bit secret can't be guessed, so only the load has to be bounded.
 */
export function createRefusalDelay(nowMs: () => number) {
  /** Least recently refused first. */
  const refusals = new Map<string, { count: number; lastMs: number }>();
  return {
    /** Counts a refusal and returns the delay of its answer in ms. */
    next(network: string): number {
      const now = nowMs();
      const known = refusals.get(network);
      const count = known !== undefined && now - known.lastMs < forgetAfterMs ? known.count + 1 : 1;
      refusals.delete(network);
      refusals.set(network, { count, lastMs: now });
      if (refusals.size > maxNetworks) refusals.delete(refusals.keys().next().value as string);
      return Math.min(maxMs, firstMs * 2 ** Math.min(count - 1, 16));
    },
  };
}
