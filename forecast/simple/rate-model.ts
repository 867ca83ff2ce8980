import type { Calendar } from "#forecast/data/calendar.ts";

/** What a forecaster may know: rates in equal steps of time, oldest first, gaps filled. */
export interface RateHistory {
  readonly qps: readonly number[];
  readonly stepMs: number;
  /** When the newest step ended: the start of the first step to forecast. */
  readonly endMs: number;
  readonly calendar: Calendar;
}

/** Anything that continues a record of rates. */
export interface RateModel {
  readonly name: string;
  /**
   * The rates of the next `steps` steps, none negative; null where the history is too short for this model. A model may remember what it
   * learnt from one call for the next; it never sees more than the histories it was given.
   */
  forecast(history: RateHistory, steps: number): number[] | null;
  /**
   * Learns anew when it is time, in slices of a few milliseconds: between two `next()` calls others may have their turn. Who never calls it
   * pays for it in `forecast`.
   */
  learn?(history: RateHistory, steps: number): Generator<void, void, void>;
}
