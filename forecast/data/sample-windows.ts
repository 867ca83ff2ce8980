import { inputMinutes, outputMinutes } from "./window-features.ts";

/** Maximum of missing minutes among the 60 of a window. */
export const maxGaps = 12;

/** Origins by time: the oldest train the model, the middle ones choose its best epoch, the newest judge it. */
export interface TimeSplit {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

/**
 * Finds the origins of forecasts that can be made and judged: 60 minutes before it with few gaps and some traffic, 15 after it without a
 * gap. An origin is the index of the first forecast minute.
 */
export function findOrigins(qps: readonly (number | null)[]): number[] {
  const origins: number[] = [];
  const gapsBefore = new Uint32Array(qps.length + 1);
  const trafficBefore = new Uint32Array(qps.length + 1);
  for (const [index, value] of qps.entries()) {
    gapsBefore[index + 1] = (gapsBefore[index] as number) + (value === null ? 1 : 0);
    trafficBefore[index + 1] = (trafficBefore[index] as number) + (value !== null && value > 0 ? 1 : 0);
  }
  const between = (sums: Uint32Array, from: number, to: number) => (sums[to] as number) - (sums[from] as number);
  for (let origin = inputMinutes; origin + outputMinutes <= qps.length; origin += 1) {
    if (between(gapsBefore, origin - inputMinutes, origin) > maxGaps) continue;
    if (between(gapsBefore, origin, origin + outputMinutes) > 0) continue;
    if (between(trafficBefore, origin - inputMinutes, origin) === 0) continue;
    origins.push(origin);
  }
  return origins;
}

/**
 * Splits origins by time: 70 % of the trace, 15 %, 15 %. Where parts meet, origins whose 15 minutes reach into the next part are left
 * out, so that no forecast minute is in two parts.
 * @param length minutes in the whole trace.
 */
export function splitByTime(origins: readonly number[], length: number): TimeSplit {
  const validationFrom = Math.floor(length * 0.7);
  const testFrom = Math.floor(length * 0.85);
  return {
    train: origins.filter((origin) => origin + outputMinutes <= validationFrom),
    validation: origins.filter((origin) => origin >= validationFrom && origin + outputMinutes <= testFrom),
    test: origins.filter((origin) => origin >= testFrom),
  };
}

/** Windows in an epoch; neighbours share all but a minute, so each epoch takes others. */
const windowsPerEpoch = 1_500;

/** Stride with which an epoch takes windows from a trace of this many minutes. */
export function strideFor(minutes: number): number {
  return Math.max(1, Math.ceil((0.7 * minutes) / windowsPerEpoch));
}
