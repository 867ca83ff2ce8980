/** How fast a model works through its line, from the batches it computed of late. */
export interface DrainRate {
  /** @param busyMs since the batch before it was done, or since there was anything to do */
  record(tokens: number, busyMs: number): void;
  /** Null before the first batch. */
  tokensPerMs(): number | null;
}

/** After so much computing, what was before counts for half. */
const halfLifeMs = 1_000;

/**
 * How much of the time since the batch before went into a batch: all of it, unless it was waiting for the model to be loaded or for
 * a process to be started again, which says nothing of the speed.
 */
export function workingMs(elapsedMs: number, computeMs: number): number {
  return Math.min(elapsedMs, 2 * computeMs + 20);
}

export function createDrainRate(): DrainRate {
  let tokens = 0;
  let ms = 0;
  return {
    record(batchTokens, busyMs) {
      const keep = 0.5 ** (busyMs / halfLifeMs);
      tokens = tokens * keep + batchTokens;
      ms = ms * keep + busyMs;
    },
    tokensPerMs: () => (ms === 0 ? null : tokens / ms),
  };
}
