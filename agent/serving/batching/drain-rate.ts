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

/** Measures the speed at which a model works off its queue, by its recent batches. */
export function createDrainRate() {
  let cost = 0;
  let ms = 0;
  return {
    /**
     * @param batchCost padding and overhead included: otherwise a model that computes lone texts would seem slow
     * @param busyMs time since the previous batch was done, or since there was anything to do
     */
    record(batchCost: number, busyMs: number) {
      const keep = 0.5 ** (busyMs / halfLifeMs);
      cost = cost * keep + batchCost;
      ms = ms * keep + busyMs;
    },
    /** Null before the first batch. */
    costPerMs: (): number | null => (ms === 0 ? null : cost / ms),
  };
}
