import { championName, type Replay } from "#forecast/backtest.ts";
import { createCalendar } from "#forecast/data/calendar.ts";

/** One forecast as a fan: for each of its steps the median and the ends of two bands. */
export interface FanForecast {
  readonly origin: number;
  /** By step: the quantiles 0.05, 0.1, 0.5, 0.9, 0.95. */
  readonly bands: readonly (readonly number[])[];
}

/** The champion says no lower quantiles: those are learnt here. */
const lowerQuantiles = [0.05, 0.1] as const;
/** Ratios are learnt from so many of the newest forecasts that had come by then. */
const calibrationForecasts = 100;
const highest = (rates: readonly number[]) => Math.max(...rates);

/** The `quantile`-th of sorted numbers by split conformal prediction; NaN of none. */
function quantileOf(sorted: readonly number[], quantile: number): number {
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil((sorted.length + 1) * quantile)));
  return sorted[rank - 1] ?? Number.NaN;
}

/** What came by what was foretold, of the newest forecasts whose steps had all come when the one at `row` was made; sorted. */
function knownRatios(replay: Replay, row: number, ratioOf: (row: number) => number): number[] {
  const origin = replay.origins[row] as number;
  const ratios: number[] = [];
  for (let past = row - 1; past >= 0 && ratios.length < calibrationForecasts; past -= 1) {
    if ((replay.origins[past] as number) + (replay.actual[past]?.length ?? 0) > origin) continue;
    const ratio = ratioOf(past);
    if (Number.isFinite(ratio)) ratios.push(ratio);
  }
  return ratios.sort((a, b) => a - b);
}

function forecastAt(replay: Replay, model: string, row: number): readonly number[] | null {
  if (model === championName) return replay.served[row]?.path[0] ?? null;
  return replay.forecasts.get(model)?.[row] ?? null;
}

/**
 * The champion's forecasts as fans, none overlapping another, of origins from `from` to `to` (indices of the series). The upper ends
 * are the champion's own quantiles, the lower ones what the newest forecasts before it missed so far ahead.
 */
export function collectFans(replay: Replay, from: number, to: number): FanForecast[] {
  const fans: FanForecast[] = [];
  let freeFrom = from;
  for (const [row, origin] of replay.origins.entries()) {
    const [median, upper90, upper95] = replay.served[row]?.path ?? [];
    if (row < replay.judgedFrom || origin < freeFrom || origin >= to) continue;
    if (median === undefined || upper90 === undefined || upper95 === undefined) continue;
    const bands = median.map((rate, step) => {
      const ratios = knownRatios(
        replay,
        row,
        (past) => (replay.actual[past]?.[step] as number) / (forecastAt(replay, championName, past)?.[step] as number),
      );
      const lower = lowerQuantiles.map((quantile) =>
        ratios.length === 0 ? rate : Math.min(rate, rate * quantileOf(ratios, quantile)),
      );
      return [...lower, rate, upper90[step] as number, upper95[step] as number];
    });
    fans.push({ origin, bands });
    freeFrom = origin + median.length;
  }
  return fans;
}

/** The stretch of `length` steps in the judged part that holds its highest step. */
export function busiestStretch(
  qps: readonly (number | null)[],
  replay: Replay,
  length: number,
): { readonly from: number; readonly to: number } {
  const first = replay.origins[replay.judgedFrom] ?? 0;
  let peak = first;
  for (let index = first; index < qps.length; index += 1) if ((qps[index] ?? 0) > (qps[peak] ?? 0)) peak = index;
  const from = Math.max(first, Math.min(peak - Math.floor(length / 2), qps.length - length));
  return { from, to: Math.min(qps.length, from + length) };
}

/** The highest step of each judged forecast, and the median and 0.95 quantile that the champion said of it. */
export function collectPeaks(replay: Replay): { origin: number; actual: number; forecast: number; upper: number }[] {
  return replay.served.slice(replay.judgedFrom).map(({ peak }, index) => {
    const row = replay.judgedFrom + index;
    return {
      origin: replay.origins[row] as number,
      actual: highest(replay.actual[row] as number[]),
      forecast: peak[0],
      upper: peak[2],
    };
  });
}

export interface ErrorOf {
  readonly absolute: number;
  readonly actual: number;
}

function errorsBy(
  replay: Replay,
  model: string,
  slots: number,
  slotOf: (origin: number, step: number) => number,
): ErrorOf[] {
  const sums = Array.from({ length: slots }, () => ({ absolute: 0, actual: 0 }));
  for (let row = replay.judgedFrom; row < replay.origins.length; row += 1) {
    for (const [step, rate] of (forecastAt(replay, model, row) ?? []).entries()) {
      const came = replay.actual[row]?.[step] as number;
      const sum = sums[slotOf(replay.origins[row] as number, step)];
      if (sum === undefined) continue;
      sum.absolute += Math.abs(rate - came);
      sum.actual += came;
    }
  }
  return sums;
}

/** 100 × sum of errors / sum of what came; null where nothing came. */
const wapeOf = ({ absolute, actual }: ErrorOf) => (actual > 0 ? (100 * absolute) / actual : null);

/** WAPE in percent for each hour of the day of the step that was foretold; null for hours without traffic. */
export function errorByHour(
  replay: Replay,
  model: string,
  startMs: number,
  stepMs: number,
  timeZone: string,
): (number | null)[] {
  const calendar = createCalendar(timeZone, []);
  return errorsBy(replay, model, 24, (origin, step) =>
    Math.floor(calendar(startMs + (origin + step) * stepMs).hour),
  ).map(wapeOf);
}

/** WAPE in percent for each step ahead. */
export function errorByStep(replay: Replay, model: string, steps: number): (number | null)[] {
  return errorsBy(replay, model, steps, (_, step) => step).map(wapeOf);
}

export interface CalibrationPoint {
  readonly nominal: number;
  readonly observed: number;
}

const ownShares = [0.5, 0.9, 0.95] as const;
const nominalShares = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/** For each quantile of the peak that the champion says, the share of peaks that it covered. */
export function ownCalibration(replay: Replay): CalibrationPoint[] {
  const rows = replay.served.slice(replay.judgedFrom).map(({ peak }, index) => ({
    peak,
    came: highest(replay.actual[replay.judgedFrom + index] as number[]),
  }));
  return ownShares.map((nominal, which) => ({
    nominal,
    observed: rows.filter(({ peak, came }) => came <= (peak[which] as number)).length / Math.max(1, rows.length),
  }));
}

/** The same for any share, by the spread of the newest peaks about their medians: the shape of what the champion can't know. */
export function spreadCalibration(replay: Replay): CalibrationPoint[] {
  const covered = nominalShares.map(() => 0);
  let judged = 0;
  const medianAt = (row: number) => replay.served[row]?.peak[0] as number;
  const cameAt = (row: number) => highest(replay.actual[row] as number[]);
  for (let row = replay.judgedFrom; row < replay.origins.length; row += 1) {
    const ratios = knownRatios(replay, row, (past) => cameAt(past) / medianAt(past));
    if (ratios.length === 0) continue;
    judged += 1;
    for (const [index, nominal] of nominalShares.entries()) {
      if (cameAt(row) <= medianAt(row) * quantileOf(ratios, nominal)) covered[index] = (covered[index] as number) + 1;
    }
  }
  return judged === 0
    ? []
    : nominalShares.map((nominal, index) => ({ nominal, observed: (covered[index] as number) / judged }));
}
