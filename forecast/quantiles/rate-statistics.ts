import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { dayMs, hourMs } from "#platform/time.ts";

/** Length of the window that a row of statistics describes, in steps. */
export const windowSteps = 60;

/** Ranges of the newest steps that means are taken over: finer where they are newer. */
const lagBins = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 5],
  [5, 8],
  [8, 15],
  [15, 30],
  [30, 60],
] as const;
const maximumLengths = [3, 8, 15, 30, 60] as const;
const spreadColumns = 4;
const calendarColumns = 7;
const seasonColumns = 4;
/** Groups of earlier times that are averaged: an hour ago, each of the last six hours, yesterday, a week ago, each of the last seven days. */
const seasonsOf = (hour: number, day: number): readonly (readonly number[])[] => [
  [hour],
  [1, 2, 3, 4, 5, 6].map((count) => count * hour),
  [day],
  [7 * day],
  [1, 2, 3, 4, 5, 6, 7].map((count) => count * day),
];
/** Statistics of the newest hour, and a constant; they stand first. */
export const coreStatisticsCount = 1 + lagBins.length + maximumLengths.length + spreadColumns;
export const statisticsCount = coreStatisticsCount + calendarColumns + seasonsOf(1, 1).length * seasonColumns;

/** A history with its running sums, so that the mean of any stretch costs two look-ups. */
export interface PreparedHistory {
  readonly history: RateHistory;
  readonly sums: Float64Array;
  /** Steps that are forecast from it. */
  readonly steps: number;
}

export function prepareHistory(history: RateHistory, steps: number): PreparedHistory {
  const sums = new Float64Array(history.qps.length + 1);
  for (const [index, qps] of history.qps.entries()) sums[index + 1] = (sums[index] as number) + qps;
  return { history, sums, steps };
}

function meanBetween({ sums }: PreparedHistory, from: number, to: number): number {
  return ((sums[to] as number) - (sums[from] as number)) / (to - from);
}

function maxBetween(qps: readonly number[], from: number, to: number): number {
  let highest = 0;
  for (let index = from; index < to; index += 1) highest = Math.max(highest, qps[index] as number);
  return highest;
}

/** Unit for the rates before an origin: mostly the newest quarter of the window, never zero while the window has traffic. */
export function levelBefore(prepared: PreparedHistory, origin: number): number {
  const wide = meanBetween(prepared, Math.max(0, origin - windowSteps), origin);
  const near = meanBetween(prepared, Math.max(0, origin - windowSteps / 4), origin);
  return (wide + near) / 2;
}

/**
 * Writes the statistics before `origin` into `target`, rates in units of `level`, so that rows of busy and quiet hours are comparable. Seasons
 * beyond the record count as "like now". `origin` may be the end of the history; at least `windowSteps` lie before it.
 */
export function writeStatistics(target: Float64Array, prepared: PreparedHistory, origin: number, level: number): void {
  const { history } = prepared;
  const { qps, stepMs, endMs, calendar } = history;
  let position = 0;
  target[position++] = 1;
  for (const [from, to] of lagBins) target[position++] = meanBetween(prepared, origin - to, origin - from) / level;
  for (const length of maximumLengths) target[position++] = maxBetween(qps, origin - length, origin) / level;
  let squares = 0;
  let jumps = 0;
  const near = meanBetween(prepared, origin - 15, origin);
  let nearSquares = 0;
  const wide = meanBetween(prepared, origin - windowSteps, origin);
  for (let index = origin - windowSteps; index < origin; index += 1) {
    const value = qps[index] as number;
    squares += (value - wide) ** 2;
    if (index >= origin - 15) nearSquares += (value - near) ** 2;
    if (index > origin - windowSteps) jumps += Math.abs(value - (qps[index - 1] as number));
  }
  target[position++] = Math.sqrt(squares / windowSteps) / level;
  target[position++] = Math.sqrt(nearSquares / 15) / level;
  target[position++] = jumps / (windowSteps - 1) / level;
  // The spread of a count is the root of its mean.
  target[position++] = Math.sqrt((near * 1000) / stepMs) / level;
  const startMs = endMs - (qps.length - origin) * stepMs;
  const moment = calendar(startMs);
  const angle = (2 * Math.PI * moment.hour) / 24;
  const inHour = (2 * Math.PI * (startMs % hourMs)) / hourMs;
  target[position++] = Math.sin(angle);
  target[position++] = Math.cos(angle);
  target[position++] = Math.sin(2 * angle);
  target[position++] = Math.cos(2 * angle);
  target[position++] = Math.sin(inHour);
  target[position++] = Math.cos(inHour);
  target[position++] = moment.weekend || moment.holiday ? 1 : 0;
  const hour = Math.round(hourMs / stepMs);
  const day = Math.round(dayMs / stepMs);
  for (const seasons of seasonsOf(hour, day)) {
    writeSeason(target, position, prepared, origin, level, seasons);
    position += seasonColumns;
  }
}

/** Writes the mean and the highest rate after the same moment some seasons ago, in units of the level before it, at most tenfold. */
function writeSeason(
  target: Float64Array,
  offset: number,
  prepared: PreparedHistory,
  origin: number,
  level: number,
  seasons: readonly number[],
): void {
  const { steps, history } = prepared;
  const { qps } = history;
  let means = 0;
  let highests = 0;
  let plainMeans = 0;
  let plainHighests = 0;
  let count = 0;
  for (const season of seasons) {
    const then = origin - season;
    if (season < steps || then - windowSteps < 0) continue;
    const levelThen = levelBefore(prepared, then);
    // Without traffic before it, there is no unit for what followed.
    if (levelThen === 0) continue;
    const mean = meanBetween(prepared, then, then + steps);
    const highest = maxBetween(qps, then, then + steps);
    means += Math.min(10, mean / levelThen);
    highests += Math.min(10, highest / levelThen);
    plainMeans += mean / level;
    plainHighests += highest / level;
    count += 1;
  }
  // Without a season: "like now", the newest steps' own mean and maximum.
  target[offset] = count > 0 ? means / count : meanBetween(prepared, origin - steps, origin) / level;
  target[offset + 1] = count > 0 ? highests / count : maxBetween(qps, origin - steps, origin) / level;
  target[offset + 2] = count > 0 ? plainMeans / count : (target[offset] as number);
  target[offset + 3] = count > 0 ? plainHighests / count : (target[offset + 1] as number);
}
