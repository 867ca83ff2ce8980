import type { RateHistory } from "./rate-model.ts";

/** So many of the newest steps a ridge regression looks at. */
export const ridgeLags = 60;
/** More rows than this are thinned out evenly: they cost time (10 ms at this size) and add little. */
const maxRows = 3_000;
/** Fewer rows than this tell too little for 67 weights. */
export const minRidgeRows = 240;
/** So many rows are taken in before others may have their turn: about a millisecond. */
export const rowsPerSlice = 150;
/** A forecast makes do with what was learnt so many steps too long ago: whoever learns between forecasts is never held up by one. */
export const ridgeGraceSteps = 30;
/** The ridge's strength for each row. */
export const ridgeStrength = 1e-3;
/** What `writeRidgeWindow` writes: the lags and the calendar. */
export const ridgeWindowColumns = ridgeLags + 6;

/**
 * The newest rates before `origin` in units of `level`, and the calendar's say on that moment. `origin` may be the end of the history.
 * @returns the place after the last one written.
 */
export function writeRidgeWindow(target: Float64Array, history: RateHistory, origin: number, level: number): number {
  const { qps, stepMs, endMs, calendar } = history;
  let position = 0;
  for (let index = origin - ridgeLags; index < origin; index += 1) target[position++] = (qps[index] as number) / level;
  const moment = calendar(endMs - (qps.length - origin) * stepMs);
  const angle = (2 * Math.PI * moment.hour) / 24;
  target[position++] = Math.sin(angle);
  target[position++] = Math.cos(angle);
  target[position++] = Math.sin(2 * angle);
  target[position++] = Math.cos(2 * angle);
  target[position++] = moment.weekend ? 1 : 0;
  target[position++] = moment.holiday ? 1 : 0;
  return position;
}

/**
 * At which moments of a history a regression learns: from the newest backwards, so that thinning never leaves the newest out.
 * @param first no moment before this index has what it needs in front of it.
 * @returns none when they are too few.
 */
export function ridgeOrigins(length: number, steps: number, first: number): number[] {
  const available = length - steps - first + 1;
  if (available < minRidgeRows) return [];
  const stride = Math.ceil(available / maxRows);
  const rows = Math.floor((available - 1) / stride) + 1;
  return Array.from({ length: rows }, (_, row) => length - steps - row * stride);
}
