/** Speed at which a model works off its queue, from its recent batches. */
export interface DrainRate {
  /**
   * @param cost of a batch, padding and overhead included: otherwise a model that computes lone texts would seem slow
   * @param busyMs time since the previous batch was done, or since there was anything to do
   */
  record(cost: number, busyMs: number): void;
  /** Null before the first batch. */
  costPerMs(): number | null;
}

/** After this much computing, earlier batches count half. */
const halfLifeMs = 1_000;

/**
 * Part of the time since the previous batch that went into a batch: all of it, unless the batch waited for the model to be loaded or for a
 * process to be restarted, which says nothing about the speed.
 * @param heldMs time for which the board's capacity delayed it
 */
export function workingMs(elapsedMs: number, computeMs: number, heldMs = 0): number {
  return Math.min(elapsedMs, heldMs + 2 * computeMs + 20);
}

export function createDrainRate(): DrainRate {
  let cost = 0;
  let ms = 0;
  return {
    record(batchCost, busyMs) {
      const keep = 0.5 ** (busyMs / halfLifeMs);
      cost = cost * keep + batchCost;
      ms = ms * keep + busyMs;
    },
    costPerMs: () => (ms === 0 ? null : cost / ms),
  };
}
