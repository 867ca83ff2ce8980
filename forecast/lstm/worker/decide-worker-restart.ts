import { doublingDelayMs } from "#platform/doubling-delay.ts";

export interface WorkerRestartDecision {
  readonly delayMs: number;
  readonly reason: string;
}

const firstDelayMs = 500;
const maxDelayMs = 600_000;

/**
 * When a lost forecasting process is started again: after half a second, then twice as long each time, ten minutes at most (weights that
 * can't be read now may have been replaced by then).
 * @param failuresInRow how often it was lost without an answer in between; 1 for the first time.
 */
export function decideWorkerRestart(failuresInRow: number): WorkerRestartDecision {
  const delayMs = doublingDelayMs(failuresInRow, firstDelayMs, maxDelayMs);
  const times = failuresInRow <= 1 ? "once" : `${failuresInRow} times in a row`;
  return { delayMs, reason: `lost ${times}: started again in ${delayMs / 1000} s` };
}
