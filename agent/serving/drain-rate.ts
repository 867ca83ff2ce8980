/** How fast a model works through its line, from the batches it computed of late. */
export interface DrainRate {
  /** @param computeMs the batch's time, divided by the batches that were computed at once */
  record(tokens: number, computeMs: number): void;
  /** Null before the first batch. */
  tokensPerMs(): number | null;
}

/** After so much computing, what was before counts for half. */
const halfLifeMs = 1_000;

export function createDrainRate(): DrainRate {
  let tokens = 0;
  let ms = 0;
  return {
    record(batchTokens, computeMs) {
      const keep = 0.5 ** (computeMs / halfLifeMs);
      tokens = tokens * keep + batchTokens;
      ms = ms * keep + computeMs;
    },
    tokensPerMs: () => (ms === 0 ? null : tokens / ms),
  };
}
