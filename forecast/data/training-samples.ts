import { minuteMs } from "#platform/time.ts";
import type { Calendar } from "./calendar.ts";
import {
  featuresPerWindow,
  fillGaps,
  inputMinutes,
  outputMinutes,
  scaleOf,
  toTarget,
  writeFeatures,
} from "./window-features.ts";

/** A recorded rate, minute by minute, for training and judging. */
export interface RateSeries {
  readonly startMs: number;
  /** Requests per second in each minute; null: not counted. */
  readonly qps: readonly (number | null)[];
  readonly calendar: Calendar;
}

/** Returns the 60 rates before an origin, gaps filled. */
export function windowBefore(series: RateSeries, origin: number): number[] {
  return fillGaps(series.qps.slice(origin - inputMinutes, origin));
}

/** Returns the 15 rates from an origin on; the origin comes from `findOrigins`, so none is missing. */
export function ratesFrom(series: RateSeries, origin: number): number[] {
  return series.qps.slice(origin, origin + outputMinutes).map((rate) => rate ?? Number.NaN);
}

/** Creates the inputs and targets of a batch, row by row. */
export function makeBatch(
  series: RateSeries,
  origins: readonly number[],
): { inputs: Float32Array; targets: Float32Array } {
  const inputs = new Float32Array(origins.length * featuresPerWindow);
  const targets = new Float32Array(origins.length * outputMinutes);
  for (const [row, origin] of origins.entries()) {
    const window = windowBefore(series, origin);
    const scale = scaleOf(window);
    const windowStartMs = series.startMs + (origin - inputMinutes) * minuteMs;
    writeFeatures(inputs, row * featuresPerWindow, window, scale, windowStartMs, series.calendar);
    for (const [step, rate] of ratesFrom(series, origin).entries()) {
      targets[row * outputMinutes + step] = toTarget(rate, scale);
    }
  }
  return { inputs, targets };
}
