/** Speed at which a model drains its queue, from its recent batches. */
export interface DrainRate {
  /**
   * @param cost of a batch, padding and the start of its run counted: else a model that computes lone texts would seem slow
   * @param busyMs since the batch before it was done, or since there was anything to do
   */
  record(cost: number, busyMs: number): void;
  /** Null before the first batch. */
  costPerMs(): number | null;
}

/** After so much computing, what was before counts for half. */
const halfLifeMs = 1_000;

/**
 * How much of the time since the batch before went into a batch: all of it, unless it was waiting for the model to be loaded or for
 * a process to be started again, which says nothing of the speed.
 * @param heldMs how long the board's capacity held it back
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
