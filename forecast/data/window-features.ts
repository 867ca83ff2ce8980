import { minuteMs } from "#platform/time.ts";
import type { Calendar } from "./calendar.ts";

/** Minutes in the network's input … */
export const inputMinutes = 60;
/** … and in its output, after them. */
export const outputMinutes = 15;
/** Features of each minute. */
export const featureNames = ["qps", "hour", "dayOfWeek", "weekend", "holiday"] as const;
export const featuresPerWindow = inputMinutes * featureNames.length;
/** Newest minutes whose mean is the forecast that the network corrects. */
export const anchorMinutes = 30;

/**
 * Scale between rates and the network's numbers. Inputs and outputs are divided by the window's own level, so that the same weights serve a
 * device with 0.05 requests per second and a fleet with 100,000.
 */
export interface WindowScale {
  /** Mean rate of the window, requests per second; 0 without traffic. */
  readonly levelQps: number;
  /** Mean of its newest minutes: the forecast of a network whose output is zero. */
  readonly anchorQps: number;
}

function mean(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += values[index] as number;
  return sum / (to - from);
}

/** @param qps `inputMinutes` rates, oldest first, without gaps. */
export function scaleOf(qps: ArrayLike<number>): WindowScale {
  return { levelQps: mean(qps, 0, inputMinutes), anchorQps: mean(qps, inputMinutes - anchorMinutes, inputMinutes) };
}

/**
 * Writes one window's features into `target` at `offset`: `inputMinutes` × 5, minute by minute. The rate is ln(1 + rate / level) - ln 2,
 * zero at the level itself and never far from it in a burst; hour and day of week lie between 0 and 1, weekend and holiday are 0 or 1.
 * @param qps `inputMinutes` rates without gaps. `levelQps` must not be zero.
 */
export function writeFeatures(
  target: Float32Array,
  offset: number,
  qps: ArrayLike<number>,
  scale: WindowScale,
  windowStartMs: number,
  calendar: Calendar,
): void {
  let position = offset;
  for (let minute = 0; minute < inputMinutes; minute += 1) {
    const moment = calendar(windowStartMs + minute * minuteMs);
    target[position] = Math.log1p((qps[minute] as number) / scale.levelQps) - Math.LN2;
    target[position + 1] = moment.hour / 24;
    target[position + 2] = moment.dayOfWeek / 6;
    target[position + 3] = moment.weekend ? 1 : 0;
    target[position + 4] = moment.holiday ? 1 : 0;
    position += featureNames.length;
  }
}

/** Converts a rate to the network's output: its distance from the anchor, in levels. */
export function toTarget(qps: number, { levelQps, anchorQps }: WindowScale): number {
  return (qps - anchorQps) / levelQps;
}

/** Inverts {@link toTarget}; never negative. */
export function fromOutput(output: number, { levelQps, anchorQps }: WindowScale): number {
  return Math.max(0, anchorQps + output * levelQps);
}

/**
 * Fills each gap with the last rate before it, or the first known one at the start; all zeros if nothing is known.
 */
export function fillGaps(qps: readonly (number | null)[]): number[] {
  let last = qps.find((value) => value !== null) ?? 0;
  return qps.map((value) => {
    last = value ?? last;
    return last;
  });
}
