import { doublingDelayMs } from "#platform/doubling-delay.ts";

export interface WorkerRestartDecision {
  readonly delayMs: number;
  readonly failuresInRow: number;
}

const firstDelayMs = 500;
const maxDelayMs = 600_000;

/**
 * Delay before a lost forecasting process is started again: half a second, doubled each time, at most ten minutes (weights that can't be
 * read now may have been replaced by then).
 * @param failuresInRow losses without an answer in between; 1 for the first.
 */
export function decideWorkerRestart(failuresInRow: number): WorkerRestartDecision {
  return { delayMs: doublingDelayMs(failuresInRow, firstDelayMs, maxDelayMs), failuresInRow };
}
