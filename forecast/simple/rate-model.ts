import type { Calendar } from "#forecast/data/calendar.ts";

/** Input of a forecaster: rates in equal steps of time, oldest first, gaps filled. */
export interface RateHistory {
  readonly qps: readonly number[];
  readonly stepMs: number;
  /** End of the newest step: the start of the first step to forecast. */
  readonly endMs: number;
  readonly calendar: Calendar;
}

/** Returns the actual rate in the step that starts at a time; null or undefined where it was not counted. */
export type RateAt = (stepStartMs: number) => number | null | undefined;

/** Anything that continues a record of rates. */
export interface RateModel {
  readonly name: string;
  /**
   * Returns the rates of the next `steps` steps, none negative; null where the history is too short for this model. A model may remember
   * what it learnt from one call to the next; it never sees more than the histories it was given.
   */
  forecast(history: RateHistory, steps: number): number[] | null;
  /**
   * Refits the model when due, in slices of a few milliseconds; the caller may yield to others between two `next()` calls. A caller that
   * never does so pays for the fit in `forecast`.
   */
  learn?(history: RateHistory, steps: number): Generator<void, void, void>;
}

/** Runs a sliced computation to completion without yielding. */
export function runToEnd<Result>(task: Generator<void, Result, void>): Result {
  let step = task.next();
  while (step.done !== true) step = task.next();
  return step.value;
}
