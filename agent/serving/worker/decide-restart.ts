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
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failuresInRow - 2, 20));
  return { delayMs, reason: `it was lost ${failuresInRow} times without a batch in between: waiting ${delayMs} ms` };
}
