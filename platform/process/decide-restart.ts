import { doublingDelayMs } from "#platform/doubling-delay.ts";

export interface RestartPolicy {
  /** Losses in a row after which the process is started again without a delay. */
  readonly restartsAtOnce: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export interface RestartDecision {
  readonly rule: "at-once" | "delayed";
  readonly lossesInRow: number;
  readonly delayMs: number;
}

/**
 * Delay before a lost process is started again: none for the first losses, then twice as long each time.
 * @param lossesInRow losses without an answer in between, from 1
 */
export function decideRestart(lossesInRow: number, policy: RestartPolicy): RestartDecision {
  const { restartsAtOnce, firstDelayMs, maxDelayMs } = policy;
  if (Math.max(1, lossesInRow) <= restartsAtOnce) return { rule: "at-once", lossesInRow, delayMs: 0 };
  const delayMs = doublingDelayMs(lossesInRow - restartsAtOnce, firstDelayMs, maxDelayMs);
  return { rule: "delayed", lossesInRow, delayMs };
}

/** For a model's process, which requests wait for. */
export const modelRestartPolicy: RestartPolicy = { restartsAtOnce: 1, firstDelayMs: 250, maxDelayMs: 30_000 };

/** For the forecasting process, which others stand in for: weights that can't be read may have been replaced ten minutes later. */
export const forecastRestartPolicy: RestartPolicy = { restartsAtOnce: 0, firstDelayMs: 500, maxDelayMs: 600_000 };
