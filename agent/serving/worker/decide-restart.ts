import { doublingDelayMs } from "#platform/doubling-delay.ts";

export interface RestartDecision {
  readonly delayMs: number;
  readonly reason: string;
}

const firstDelayMs = 250;
const longestDelayMs = 30_000;

/**
 * When to start a model process again.
 * @param failuresInRow how often it was lost without a batch computed in between; 1 for the first time.
 */
export function decideRestart(failuresInRow: number): RestartDecision {
  if (failuresInRow <= 1) return { delayMs: 0, reason: "it was lost once: started again at once" };
  const delayMs = doublingDelayMs(failuresInRow - 1, firstDelayMs, longestDelayMs);
  return { delayMs, reason: `it was lost ${failuresInRow} times without a batch in between: waiting ${delayMs} ms` };
}
