import { createCalendar } from "#forecast/data/calendar.ts";
import { championName } from "#forecast/judge/judge-replay.ts";
import type { Replay } from "#forecast/judge/replay-forecasts.ts";

/** A forecast as a fan: the median and the ends of two bands for each step. */
export interface FanForecast {
  readonly origin: number;
  /** Quantiles 0.05, 0.1, 0.5, 0.9 and 0.95, by step. */
  readonly bands: readonly (readonly number[])[];
}

/** Quantiles that are learnt here, as the champion has no lower ones. */
const lowerQuantiles = [0.05, 0.1] as const;
/** Newest forecasts that ratios are learnt from. */
const calibrationForecasts = 100;
const highest = (rates: readonly number[]) => Math.max(...rates);

/** Returns the `quantile`-th of sorted numbers by split conformal prediction; NaN of none. */
function quantileOf(sorted: readonly number[], quantile: number): number {
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil((sorted.length + 1) * quantile)));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Returns the ratios actual / forecast of the newest forecasts whose steps were over when the one at `row` was made; sorted. */
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
 * Collects the champion's forecasts as fans that don't overlap, of origins from `from` to `to` (indices of the series). The upper ends are the
 * champion's own quantiles, the lower ones come from the errors of its newest forecasts at the same step.
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

/** Finds the stretch of `length` steps around the highest step of the judged part. */
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

/** Collects the highest step of each judged forecast, with the champion's median and 0.95 quantile of it. */
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

interface ErrorOf {
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

/** WAPE in percent; null without traffic. */
const wapeOf = ({ absolute, actual }: ErrorOf) => (actual > 0 ? (100 * absolute) / actual : null);

/** Computes the WAPE in percent by hour of the day of the forecast step; null for hours without traffic. */
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

/** Computes the WAPE in percent by step ahead. */
export function errorByStep(replay: Replay, model: string, steps: number): (number | null)[] {
  return errorsBy(replay, model, steps, (_, step) => step).map(wapeOf);
}

export interface CalibrationPoint {
  readonly nominal: number;
  readonly observed: number;
}

const ownShares = [0.5, 0.9, 0.95] as const;
const nominalShares = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/** Computes the share of peaks within each of the champion's quantiles of the peak. */
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

/** Computes the same for any share, with quantiles from the spread of the newest peaks about their medians. */
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
