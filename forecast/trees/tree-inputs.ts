import {
  levelBefore,
  type PreparedHistory,
  statisticsCount,
  windowSteps,
  writeStatistics,
} from "#forecast/quantiles/rate-statistics.ts";
import { dayMs, hourMs } from "#platform/time.ts";

/** Earlier times considered: the same minute of the last six hours, the same clock time of the last seven days. */
const seasons = [
  { seasonMs: hourMs, count: 6 },
  { seasonMs: dayMs, count: 7 },
];
const clockColumns = 4;
const columnsPerSeason = 5;
export const treeInputCount = statisticsCount + clockColumns + seasons.length * columnsPerSeason;
/** Higher rates count as this many levels. */
const maxRatio = 20;

/**
 * Writes the inputs of the trees before `origin`: the statistics of the window, the clock, and the highest rates after the same time in
 * earlier hours and days. At least `windowSteps` lie before `origin`.
 */
export function writeTreeInputs(target: Float64Array, prepared: PreparedHistory, origin: number, level: number): void {
  writeStatistics(target, prepared, origin, level);
  const { qps, stepMs, endMs, calendar } = prepared.history;
  const startMs = endMs - (qps.length - origin) * stepMs;
  const { hour, dayOfWeek } = calendar(startMs);
  target.set([hour, dayOfWeek, (startMs % hourMs) / hourMs, Math.log(level)], statisticsCount);
  const likeNow = highestAfter(prepared, origin - prepared.steps) / level;
  let position = statisticsCount + clockColumns;
  for (const { seasonMs, count } of seasons) {
    target.set(seasonInputs(prepared, origin, level, Math.round(seasonMs / stepMs), count, likeNow), position);
    position += columnsPerSeason;
  }
}

function highestAfter({ history, steps }: PreparedHistory, from: number): number {
  let highest = 0;
  for (let step = from; step < from + steps; step += 1) highest = Math.max(highest, history.qps[step] as number);
  return highest;
}

/**
 * Returns the least, the median and the highest of the earlier peaks in units of the level before each, then median and highest in units of
 * the present level.
 */
function seasonInputs(
  prepared: PreparedHistory,
  origin: number,
  level: number,
  season: number,
  count: number,
  likeNow: number,
): number[] {
  const own: number[] = [];
  const present: number[] = [];
  for (let back = 1; back <= count && season >= prepared.steps; back += 1) {
    const then = origin - back * season;
    if (then < windowSteps) break;
    const highest = highestAfter(prepared, then);
    const levelThen = levelBefore(prepared, then);
    present.push(Math.min(maxRatio, highest / level));
    if (levelThen > 0) own.push(Math.min(maxRatio, highest / levelThen));
  }
  own.sort((a, b) => a - b);
  present.sort((a, b) => a - b);
  const median = (sorted: readonly number[]) => sorted[sorted.length >> 1];
  return [own[0], median(own), own.at(-1), median(present), present.at(-1)].map((ratio) => ratio ?? likeNow);
}
