import type { RateHistory } from "./rate-model.ts";

/** Newest steps that a ridge regression looks at. */
export const ridgeLags = 60;
/** More rows are thinned out evenly: they cost time (10 ms at this size) and add little. */
const maxRows = 3_000;
/** Fewer rows are too few for 67 weights. */
export const minRidgeRows = 240;
/** Rows added between two yields: about a millisecond. */
export const rowsPerSlice = 150;
/** Steps for which a forecast makes do with an overdue fit, so that a caller that learns between forecasts never waits for a fit. */
export const ridgeGraceSteps = 30;
/** Strength of the ridge per row. */
export const ridgeStrength = 1e-3;
/** Columns that `writeRidgeWindow` writes: the lags and the calendar. */
export const ridgeWindowColumns = ridgeLags + 6;

/**
 * Writes the newest rates before `origin` in units of `level`, and the calendar at that moment. `origin` may be the end of the history.
 * @returns the index after the last one written.
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
 * Moments of a history that a regression learns from: from the newest backwards, so that thinning never leaves the newest out.
 * @param first index of the first moment with enough record before it.
 * @returns none when they are too few.
 */
export function ridgeOrigins(length: number, steps: number, first: number): number[] {
  const available = length - steps - first + 1;
  if (available < minRidgeRows) return [];
  const stride = Math.ceil(available / maxRows);
  const rows = Math.floor((available - 1) / stride) + 1;
  return Array.from({ length: rows }, (_, row) => length - steps - row * stride);
}
