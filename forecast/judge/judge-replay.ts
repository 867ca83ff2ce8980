import type { PeakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import { type ForecastErrors, measureErrors } from "./error-measures.ts";
import { conformalFactor, coverage, pinballLoss } from "./quantile-measures.ts";
import type { Replay } from "./replay-forecasts.ts";

export interface BacktestRow {
  readonly model: string;
  /** Errors over every step of every forecast. */
  readonly path: ForecastErrors;
  /** Mean pinball loss of the quantiles 0.5, 0.9 and 0.95, in percent of the mean of the actual rates. */
  readonly pathPinballPercent: number;
  /** Errors over the highest step of each forecast. */
  readonly peak: ForecastErrors;
  readonly peakPinballPercent: number;
  /** Shares of the peaks within the 0.9 and 0.95 quantiles. */
  readonly coverage90: number;
  readonly coverage95: number;
  /** Factor from the forecast peak to its 0.95 quantile, at the end. */
  readonly headroom95: number;
  /** 1 - pinball loss of the peak / the best simple model's. */
  readonly skill: number;
}

export const championName = "champion";
const quantiles = [0.5, 0.9, 0.95];
/** Newest forecasts that the conformal factors are learnt from … */
const calibrationForecasts = 100;
/** … and the interval of origins at which they are. */
const relearnEvery = 10;
const highest = (rates: readonly number[]) => Math.max(...rates);

/** A forecast with the actual values: many for a path, one for a peak. */
interface Outcome {
  readonly origin: number;
  readonly actual: readonly number[];
  readonly forecast: readonly number[];
}

/** Judges every model with a forecast at each origin, the champion last. */
export function judgeReplay(replay: Replay, steps: number): BacktestRow[] {
  const rows: BacktestRow[] = [];
  for (const [model, forecasts] of replay.forecasts) {
    const complete = forecasts.filter((forecast) => forecast !== null);
    if (complete.length === forecasts.length) rows.push(judgeModel(model, complete, replay, steps));
  }
  rows.push(judgeChampion(replay));
  const simple = rows.filter(({ model }) => model !== "lstm" && model !== championName);
  const best = Math.min(...simple.map(({ peakPinballPercent }) => peakPinballPercent));
  return rows.map((row) => ({ ...row, skill: best > 0 ? 1 - row.peakPinballPercent / best : 0 }));
}

function judgeModel(
  model: string,
  forecasts: readonly (readonly number[])[],
  replay: Replay,
  steps: number,
): BacktestRow {
  const { origins, judgedFrom, actual, served } = replay;
  const outcomes = (of: (rates: readonly number[]) => readonly number[]): Outcome[] =>
    origins.map((origin, index) => ({
      origin,
      actual: of(actual[index] as number[]),
      forecast: of(forecasts[index] as number[]),
    }));
  const paths = outcomes((rates) => rates);
  const peaks = outcomes((rates) => [highest(rates)]);
  const peakQuantiles = judgeQuantiles(peaks, judgedFrom, steps);
  const row = {
    model,
    path: errorsOf(paths.slice(judgedFrom)),
    pathPinballPercent: judgeQuantiles(paths, judgedFrom, steps).pinballPercent,
    peak: errorsOf(peaks.slice(judgedFrom)),
    peakPinballPercent: peakQuantiles.pinballPercent,
    coverage90: peakQuantiles.covered[1] as number,
    coverage95: peakQuantiles.covered[2] as number,
    headroom95: peakQuantiles.factors[2] as number,
    skill: 0,
  };
  if (model !== "lstm") return row;
  // The network has quantiles of its own once its head has learnt, which is before the judged part unless that is very short.
  const judged = served.slice(judgedFrom);
  const own = judged.flatMap(({ networkPeak }) => (networkPeak === null ? [] : [networkPeak]));
  return own.length < judged.length ? row : { ...row, ...judgePeaks(own, actual.slice(judgedFrom).map(highest)) };
}

/** Judges the champion by its own quantiles. */
function judgeChampion({ served, actual, judgedFrom }: Replay): BacktestRow {
  const judged = served.slice(judgedFrom);
  const rates = actual.slice(judgedFrom);
  const pathOf = (which: number) => judged.flatMap(({ path }) => path[which] as readonly number[]);
  return {
    model: championName,
    path: measureErrors(rates.flat(), pathOf(0)),
    pathPinballPercent: pinballPercent(rates.flat(), pathOf),
    ...judgePeaks(
      judged.map(({ peak }) => peak),
      rates.map(highest),
    ),
    skill: 0,
  };
}

function errorsOf(outcomes: readonly Outcome[]): ForecastErrors {
  return measureErrors(
    outcomes.flatMap((outcome) => outcome.actual),
    outcomes.flatMap((outcome) => outcome.forecast),
  );
}

/**
 * Judges the quantiles of the outcomes from `judgedFrom` on, each by the conformal factors of the newest outcomes known by then (learnt anew at
 * every tenth).
 */
function judgeQuantiles(outcomes: readonly Outcome[], judgedFrom: number, steps: number) {
  const rates: number[] = [];
  const byQuantile: number[][] = quantiles.map(() => []);
  let factors: number[] = [];
  for (let index = judgedFrom; index < outcomes.length; index += 1) {
    const { origin, actual, forecast } = outcomes[index] as Outcome;
    if ((index - judgedFrom) % relearnEvery === 0) {
      const known = outcomes.slice(0, index).filter((outcome) => outcome.origin + steps <= origin);
      const newest = known.slice(-calibrationForecasts);
      const pastRates = newest.flatMap((outcome) => outcome.actual);
      const pastForecasts = newest.flatMap((outcome) => outcome.forecast);
      factors = quantiles.map((quantile) => conformalFactor(pastRates, pastForecasts, quantile));
    }
    rates.push(...actual);
    for (const [which, factor] of factors.entries()) byQuantile[which]?.push(...forecast.map((rate) => rate * factor));
  }
  return {
    pinballPercent: pinballPercent(rates, (which) => byQuantile[which] as number[]),
    covered: byQuantile.map((forecast) => coverage(rates, forecast)),
    factors,
  };
}

/** Mean pinball loss over the quantiles, in percent of the actual values' mean. */
function pinballPercent(actual: readonly number[], quantileOf: (which: number) => readonly number[]): number {
  const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
  const losses = quantiles.map((quantile, which) => pinballLoss(actual, quantileOf(which), quantile));
  return mean === 0 ? 0 : (100 * losses.reduce((sum, loss) => sum + loss, 0)) / quantiles.length / mean;
}

/** Judges a model's own quantiles of the peak. */
function judgePeaks(forecasts: readonly PeakQuantiles[], actual: readonly number[]) {
  const quantileOf = (which: number) => forecasts.map((forecast) => forecast[which] as number);
  const last = forecasts.at(-1) ?? [0, 0, 0];
  return {
    peak: measureErrors(actual, quantileOf(0)),
    peakPinballPercent: pinballPercent(actual, quantileOf),
    coverage90: coverage(actual, quantileOf(1)),
    coverage95: coverage(actual, quantileOf(2)),
    headroom95: last[0] > 0 ? last[2] / last[0] : 1,
  };
}
