/** How fast a model works through its line, from the batches it computed of late. */
export interface DrainRate {
  /** @param busyMs since the batch before it was done, or since there was anything to do */
  record(tokens: number, busyMs: number): void;
  /** Null before the first batch. */
  tokensPerMs(): number | null;
}

/** After so much computing, what was before counts for half. */
const halfLifeMs = 1_000;

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
