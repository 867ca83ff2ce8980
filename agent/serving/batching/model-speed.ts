import { batchCost, usualCostPerToken } from "./decide-batch.ts";
import { createDrainRate, workingMs } from "./drain-rate.ts";

/** Time for which a measured speed is taken for the present one. */
const freshMs = 2_000;

export interface RunningBatch {
  readonly texts: number;
  readonly paddedTokens: number;
  readonly usefulTokens: number;
  /** Time for which the board's capacity delayed it. */
  readonly heldMs: number;
  /** Time that the board's capacity takes for its texts; 0 where batches are never delayed. */
  readonly boardMs: number;
}

/** Measures the speed at which a model works off its queue, and predicts times by it. */
export class ModelSpeed {
  readonly #rate = createDrainRate();
  #tokensInFlight = 0;
  /** Start of the present work: since then batches are in flight, or the last one was answered. */
  #busySinceMs = 0;
  /** Time for which the board's capacity has delayed the next batch. */
  #heldMs = 0;
  #assumedCostPerMs: number | null = null;

  get tokensInFlight(): number {
    return this.#tokensInFlight;
  }

  /** Notes that the board is asked for capacity, which counts as work for an idle model. */
  startHold(nowMs: number): void {
    if (this.#tokensInFlight === 0) this.#busySinceMs = nowMs;
  }

  endHold(heldMs: number): void {
    this.#heldMs += heldMs;
  }

  startBatch(texts: number, paddedTokens: number, usefulTokens: number, nowMs: number, boardMs = 0): RunningBatch {
    if (this.#tokensInFlight === 0 && this.#heldMs === 0) this.#busySinceMs = nowMs;
    const heldMs = this.#heldMs;
    this.#heldMs = 0;
    this.#tokensInFlight += usefulTokens;
    return { texts, paddedTokens, usefulTokens, heldMs, boardMs };
  }

  /** Takes a computed batch as a measure of the speed. Returns the time that it counts for. */
  measure({ texts, paddedTokens, heldMs, boardMs }: RunningBatch, computeMs: number, nowMs: number): number {
    const busyMs = workingMs(nowMs - this.#busySinceMs, computeMs, heldMs);
    // A board lets the first texts after a pause through at once: that is not its speed.
    this.#rate.record(batchCost(texts, paddedTokens), Math.max(busyMs, boardMs));
    this.#busySinceMs = nowMs;
    return busyMs;
  }

  /** Notes that a batch is over, computed or not. */
  endBatch({ usefulTokens }: RunningBatch): void {
    this.#tokensInFlight -= usefulTokens;
  }

  /** Takes a speed for the present one until a batch is measured. */
  assume(costPerMs: number): void {
    this.#assumedCostPerMs ??= costPerMs;
  }

  /** Null before anything is known of the speed. */
  costPerMs(): number | null {
    return this.#rate.costPerMs() ?? this.#assumedCostPerMs;
  }

  /** Time to compute so many tokens; null before anything is known of the speed. */
  msFor(tokens: number): number | null {
    const costPerMs = this.costPerMs();
    return costPerMs === null ? null : (tokens * usualCostPerToken) / costPerMs;
  }

  isStale(nowMs: number): boolean {
    return nowMs - this.#busySinceMs > freshMs;
  }
}
