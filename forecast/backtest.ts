import { UsageError } from "#platform/errors.ts";
import { createTrafficBlend } from "./blend/traffic-blend.ts";
import { maxGaps } from "./data/sample-windows.ts";
import type { RateSeries } from "./data/training-samples.ts";
import { fillGaps, inputMinutes } from "./data/window-features.ts";
import { type ForecastErrors, measureErrors, poissonFloorPercent } from "./judge/error-measures.ts";
import { conformalFactor, coverage, pinballLoss } from "./judge/quantile-measures.ts";
import type { PeakQuantiles } from "./quantiles/peak-quantiles.ts";
import { createPeakRidge, recentPeak } from "./simple/recent-peak-models.ts";
import { createSimpleModels } from "./simple/simple-models.ts";

/** A network's forecasts, one for each origin, of the wanted number of steps (15 at most). */
export type NetworkForecasts = (
  series: RateSeries,
  origins: readonly number[],
  stepMs: number,
  steps: number,
) => number[][];

export interface BacktestOptions {
  readonly stepMs: number;
  /** Steps in each forecast. */
  readonly steps: number;
  /** At most so many origins are judged, evenly spread. */
  readonly maxOrigins: number;
  /** null: the network does not take part. */
  readonly network: NetworkForecasts | null;
}

export interface BacktestRow {
  readonly model: string;
  /** Over every step of every forecast. */
  readonly path: ForecastErrors;
  /** Mean pinball loss of the quantiles 0.5, 0.9 and 0.95, in percent of the mean of what came. */
  readonly pathPinballPercent: number;
  /** Of the highest of a forecast's steps. */
  readonly peak: ForecastErrors;
  readonly peakPinballPercent: number;
  /** Shares of the peaks that the calibrated 0.9 and 0.95 quantiles covered. */
  readonly coverage90: number;
  readonly coverage95: number;
  /** By what the forecast peak is multiplied to be its 0.95 quantile, at the end. */
  readonly headroom95: number;
  /** 1 - pinball loss of the peak / the best simple model's. */
  readonly skill: number;
}

/** What was foretold and what came, origin by origin. */
export interface Replay {
  /** Indices into the series, in order of time; those from `judgedFrom` on are judged, the ones before give the quantiles their start. */
  readonly origins: readonly number[];
  readonly judgedFrom: number;
  /** Rates that came in the steps from each origin on. */
  readonly actual: readonly (readonly number[])[];
  /** Each model's forecasts; null where its record was too short. */
  readonly forecasts: ReadonlyMap<string, readonly (readonly number[] | null)[]>;
  /** What the champion said. */
  readonly served: readonly Served[];
}

export interface Backtest {
  readonly origins: number;
  readonly poissonFloorPercent: number | null;
  readonly rows: readonly BacktestRow[];
  /** How much each model had to say in the champion's path on average. */
  readonly championShares: Readonly<Record<string, number>>;
  /** Models without a forecast at some origin, because the record before it is too short. */
  readonly leftOut: readonly string[];
  readonly replay: Replay;
}

const minuteMs = 60_000;
const quantiles = [0.5, 0.9, 0.95];
/** Head-room is learnt from so many of the newest forecasts … */
const calibrationForecasts = 100;
/** … at every so many-th origin. */
const relearnEvery = 10;
/** Fewer forecasts than this in either part tell nothing. */
const minOrigins = 20;
const maxHistoryMs = 14 * 86_400_000;
export const championName = "champion";
const modelNames = [...createSimpleModels(), recentPeak, createPeakRidge()].map(({ name }) => name);
const highest = (rates: readonly number[]) => Math.max(...rates);

function usableOrigins(qps: readonly (number | null)[], from: number, to: number, steps: number, most: number) {
  const origins: number[] = [];
  for (let origin = Math.max(from, inputMinutes); origin + steps <= to; origin += 1) {
    const before = qps.slice(origin - inputMinutes, origin);
    if (before.filter((rate) => rate === null).length > maxGaps || !before.some((rate) => (rate ?? 0) > 0)) continue;
    if (!qps.slice(origin, origin + steps).includes(null)) origins.push(origin);
  }
  const stride = Math.ceil(origins.length / most);
  return origins.filter((_, index) => index % stride === 0);
}

/** What the champion said at one origin. */
export interface Served {
  /** Shares of the models in it. */
  readonly shares: Readonly<Record<string, number>>;
  /** The quantiles 0.5, 0.9 and 0.95 of each step. */
  readonly path: readonly (readonly number[])[];
  readonly peak: PeakQuantiles;
  readonly networkPeak: PeakQuantiles | null;
}

/** Every model's forecasts at every origin, in order of time; the champion's among them. */
function forecastAll(series: RateSeries, origins: readonly number[], options: BacktestOptions) {
  const { stepMs, steps } = options;
  const filled = fillGaps(series.qps);
  const network = options.network?.(series, origins, stepMs, steps) ?? null;
  // Trained on minutes: of other steps it must first show what it can.
  const starter = network === null || stepMs !== minuteMs ? "moving-average" : "lstm";
  const blend = createTrafficBlend({ stepMs, steps, starter });
  const forecasts = new Map<string, (readonly number[] | null)[]>();
  const served: Served[] = [];
  const maxHistorySteps = Math.round(maxHistoryMs / stepMs);
  for (const [row, origin] of origins.entries()) {
    const qps = filled.slice(Math.max(0, origin - maxHistorySteps), origin);
    const history = { qps, stepMs, endMs: series.startMs + origin * stepMs, calendar: series.calendar };
    for (const _ of blend.learn(history)) {
      // Nobody waits here.
    }
    const { blended, byModel, peak, networkPeak } = blend.forecast(
      history,
      (startMs) => series.qps[Math.round((startMs - series.startMs) / stepMs)],
      network?.[row] ?? null,
    );
    for (const [name, forecast] of byModel) {
      const list = forecasts.get(name) ?? new Array<null>(row).fill(null);
      forecasts.set(name, list);
      list.push(forecast);
    }
    for (const list of forecasts.values()) if (list.length === row) list.push(null);
    const start = byModel.get(starter) ?? new Array<number>(steps).fill(0);
    served.push({
      shares: blended?.shares ?? { [starter]: 1 },
      path: blended === null ? [start, start, start] : [blended.qps, blended.qps90, blended.qps95],
      peak,
      networkPeak,
    });
  }
  const absent = options.network === null ? modelNames : ["lstm", ...modelNames];
  return { forecasts, served, leftOut: absent.filter((name) => forecasts.get(name)?.includes(null) ?? true) };
}

/** One forecast with what came, flattened: a path has many values, a peak one. */
interface Outcome {
  readonly origin: number;
  readonly actual: readonly number[];
  readonly forecast: readonly number[];
}

/**
 * The quantiles of the outcomes from `split` on, each by the conformal factors of the newest ones that had come by then (learnt anew every
 * tenth): their mean pinball loss in percent of what came, their coverage, and the last factors.
 */
function judgeQuantiles(outcomes: readonly Outcome[], split: number, steps: number) {
  const actual: number[] = [];
  const byQuantile: number[][] = quantiles.map(() => []);
  let factors: number[] = [];
  for (let index = split; index < outcomes.length; index += 1) {
    const { origin, actual: came, forecast } = outcomes[index] as Outcome;
    if ((index - split) % relearnEvery === 0) {
      const known = outcomes.slice(0, index).filter((outcome) => outcome.origin + steps <= origin);
      const newest = known.slice(-calibrationForecasts);
      const cameThen = newest.flatMap((outcome) => outcome.actual);
      const saidThen = newest.flatMap((outcome) => outcome.forecast);
      factors = quantiles.map((quantile) => conformalFactor(cameThen, saidThen, quantile));
    }
    actual.push(...came);
    for (const [which, factor] of factors.entries()) byQuantile[which]?.push(...forecast.map((rate) => rate * factor));
  }
  const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
  const loss = quantiles.reduce(
    (sum, quantile, which) => sum + pinballLoss(actual, byQuantile[which] as number[], quantile) / quantiles.length,
    0,
  );
  const covered = byQuantile.map((forecast) => coverage(actual, forecast));
  return { pinballPercent: mean === 0 ? 0 : (100 * loss) / mean, covered, factors };
}

/** In percent of the values' mean, the mean over the quantiles. */
function meanPinballPercent(actual: readonly number[], quantileOf: (which: number) => readonly number[]): number {
  const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
  const losses = quantiles.map((quantile, which) => pinballLoss(actual, quantileOf(which), quantile));
  return mean === 0 ? 0 : (100 * losses.reduce((sum, loss) => sum + loss, 0)) / quantiles.length / mean;
}

/** Judges quantiles of the peak that a model said itself. */
function judgePeaks(said: readonly PeakQuantiles[], came: readonly number[]) {
  const quantileOf = (which: number) => said.map((quantilesOfOne) => quantilesOfOne[which] as number);
  const last = said.at(-1) ?? [0, 0, 0];
  return {
    peak: measureErrors(came, quantileOf(0)),
    peakPinballPercent: meanPinballPercent(came, quantileOf),
    coverage90: coverage(came, quantileOf(1)),
    coverage95: coverage(came, quantileOf(2)),
    headroom95: last[0] > 0 ? last[2] / last[0] : 1,
  };
}

/** The champion is judged by the quantiles that it said itself. */
function judgeServed(served: readonly Served[], actual: readonly (readonly number[])[]): BacktestRow {
  const came = actual.flat();
  const pathOf = (which: number) => served.flatMap(({ path }) => path[which] as readonly number[]);
  return {
    model: championName,
    path: measureErrors(came, pathOf(0)),
    pathPinballPercent: meanPinballPercent(came, pathOf),
    ...judgePeaks(
      served.map(({ peak }) => peak),
      actual.map(highest),
    ),
    skill: 0,
  };
}

/**
 * Replays a series: every model forecasts at origins of the newest 30 %, knowing only what lies before each; the older half of them
 * gives the quantiles and the champion choice their start, the newer half is judged.
 * @throws UsageError when the series is too short or too full of gaps for both halves.
 */
export function backtest(series: RateSeries, options: BacktestOptions): Backtest {
  const { steps, maxOrigins } = options;
  const length = series.qps.length;
  const middle = Math.floor(length * 0.85);
  const calibrating = usableOrigins(series.qps, Math.floor(length * 0.7), middle, steps, maxOrigins);
  const judged = usableOrigins(series.qps, middle, length, steps, maxOrigins);
  if (calibrating.length < minOrigins || judged.length < minOrigins) {
    const found = `${calibrating.length} and ${judged.length}`;
    const needed = Math.ceil(Math.max((minOrigins + steps) / 0.15, inputMinutes / 0.7));
    const neededHours = (needed * options.stepMs) / 3_600_000;
    throw new UsageError(
      `too little to judge: ${length} steps, expected ${needed} (${neededHours.toFixed(1)} h) where nothing is missing. The two newest parts of 15 % each need ${minOrigins} moments with ${inputMinutes} known steps before and ${steps} after, got ${found}`,
    );
  }
  const origins = [...calibrating, ...judged];
  const { forecasts, served, leftOut } = forecastAll(series, origins, options);
  const actual = origins.map((origin) => series.qps.slice(origin, origin + steps).map((rate) => rate ?? Number.NaN));
  const split = calibrating.length;
  const rows: BacktestRow[] = [];
  for (const [model, made] of forecasts) {
    const complete = made.filter((forecast) => forecast !== null);
    if (complete.length < made.length) continue;
    const outcomes = (of: (rates: readonly number[]) => readonly number[]): Outcome[] =>
      origins.map((origin, index) => ({
        origin,
        actual: of(actual[index] as number[]),
        forecast: of(complete[index] as number[]),
      }));
    const paths = outcomes((rates) => rates);
    const peaks = outcomes((rates) => [highest(rates)]);
    const errors = (all: readonly Outcome[]) => {
      const judgedOnes = all.slice(split);
      return measureErrors(
        judgedOnes.flatMap((outcome) => outcome.actual),
        judgedOnes.flatMap((outcome) => outcome.forecast),
      );
    };
    const peakQuantiles = judgeQuantiles(peaks, split, steps);
    rows.push({
      model,
      path: errors(paths),
      pathPinballPercent: judgeQuantiles(paths, split, steps).pinballPercent,
      peak: errors(peaks),
      peakPinballPercent: peakQuantiles.pinballPercent,
      coverage90: peakQuantiles.covered[1] as number,
      coverage95: peakQuantiles.covered[2] as number,
      headroom95: peakQuantiles.factors[2] as number,
      skill: 0,
    });
  }
  // The network has quantiles of its own once its head has learnt, which is before the judged part unless that is very short.
  const networkPeaks = served.slice(split).flatMap(({ networkPeak }) => (networkPeak === null ? [] : [networkPeak]));
  const network = rows.findIndex(({ model }) => model === "lstm");
  if (network >= 0 && networkPeaks.length === judged.length) {
    const own = judgePeaks(networkPeaks, actual.slice(split).map(highest));
    rows[network] = { ...(rows[network] as BacktestRow), ...own };
  }
  rows.push(judgeServed(served.slice(split), actual.slice(split)));
  const simple = rows.filter(({ model }) => model !== "lstm" && model !== championName);
  const best = Math.min(...simple.map(({ peakPinballPercent }) => peakPinballPercent));
  const serving = served.slice(split);
  const shareOf = (name: string) => serving.reduce((sum, { shares }) => sum + (shares[name] ?? 0), 0) / serving.length;
  const names = new Set(serving.flatMap(({ shares }) => Object.keys(shares)));
  const championShares = Object.fromEntries([...names].map((name) => [name, shareOf(name)]));
  const stepS = options.stepMs / 1000;
  return {
    origins: judged.length,
    poissonFloorPercent: poissonFloorPercent(judged.map((origin) => (series.qps[origin] ?? 0) * stepS)),
    rows: rows.map((row) => ({ ...row, skill: best > 0 ? 1 - row.peakPinballPercent / best : 0 })),
    championShares,
    leftOut,
    replay: { origins, judgedFrom: split, actual, forecasts, served },
  };
}
