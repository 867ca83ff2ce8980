import type { RateHistory, RateModel } from "./rate-model.ts";
import { runToEnd } from "./run-to-end.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;

export interface HoltWintersWeights {
  /** How fast the level follows, 0 to 1. */
  readonly level: number;
  /** How fast the slope follows, 0 to 1; 0 keeps a slope of zero. */
  readonly trend: number;
  /** How fast the season's shape follows, 0 to 1. */
  readonly season: number;
}

/** What is tried; the pair with the least error at the farthest step in the newest season is taken. */
const triedLevels = [0.03, 0.1, 0.3, 0.7];
const triedSeasons = [0.05, 0.4];

interface Run {
  readonly forecast: number[];
  /** Sum of absolute errors at the farthest step ahead, in the newest season. */
  readonly absoluteError: number;
}

function run(qps: readonly number[], steps: number, period: number, weights: HoltWintersWeights): Run {
  let level = 0;
  for (let index = 0; index < period; index += 1) level += (qps[index] as number) / period;
  // One season's single steps are mostly noise: the shape's start is their mean over about half an hour of a day.
  const reach = Math.floor(period / 96);
  const season = new Float64Array(period);
  for (let index = 0; index < period; index += 1) {
    let sum = 0;
    for (let near = index - reach; near <= index + reach; near += 1) sum += qps[(near + period) % period] as number;
    season[index] = sum / (2 * reach + 1) - level;
  }
  let slope = 0;
  let absoluteError = 0;
  /** Where the level would have been continued to, by the step at which it was known. */
  const continued = new Float64Array(qps.length);
  for (let index = period; index < qps.length; index += 1) {
    const value = qps[index] as number;
    const phase = index % period;
    const seasonal = season[phase] as number;
    const before = level;
    if (index >= qps.length - period && index >= period + steps) {
      absoluteError += Math.abs(value - Math.max(0, (continued[index - steps] as number) + seasonal));
    }
    level = weights.level * (value - seasonal) + (1 - weights.level) * (level + slope);
    slope = weights.trend * (level - before) + (1 - weights.trend) * slope;
    continued[index] = level + steps * slope;
    season[phase] = weights.season * (value - level) + (1 - weights.season) * seasonal;
  }
  const forecast = Array.from({ length: steps }, (_, step) => {
    const seasonal = season[(qps.length + step) % period] as number;
    return Math.max(0, level + (step + 1) * slope + seasonal);
  });
  return { forecast, absoluteError };
}

/**
 * Additive Holt-Winters (Winters 1960): a level, a slope and a season's shape, each smoothed exponentially. The first season gives the
 * start: its mean is the level, the (smoothed) distances from it
 * are the shape, the slope is zero.
 * @param weights when not given, no slope, and of some speeds of level and shape those that would have erred least in the newest season.
 * @returns null unless the history holds two seasons.
 */
export function holtWinters(
  qps: readonly number[],
  steps: number,
  period: number,
  weights?: HoltWintersWeights,
): number[] | null {
  if (period < 1 || qps.length < 2 * period) return null;
  if (weights !== undefined) return run(qps, steps, period, weights).forecast;
  return run(qps, steps, period, chooseWeights(qps, steps, period)).forecast;
}

/**
 * No slope, and of some speeds of level and shape those that would have erred least at the farthest step in the newest season.
 * The history holds two seasons.
 */
const chooseWeights = (qps: readonly number[], steps: number, period: number): HoltWintersWeights =>
  runToEnd(tryWeights(qps, steps, period));

/** One slice for each that is tried. */
function* tryWeights(qps: readonly number[], steps: number, period: number): Generator<void, HoltWintersWeights, void> {
  let best = { weights: { level: 0.3, trend: 0, season: 0.05 }, absoluteError: Number.POSITIVE_INFINITY };
  for (const level of triedLevels) {
    for (const season of triedSeasons) {
      const weights = { level, trend: 0, season };
      const { absoluteError } = run(qps, steps, period, weights);
      if (absoluteError < best.absoluteError) best = { weights, absoluteError };
      yield;
    }
  }
  return best.weights;
}

/** Holt-Winters with a day for its season. It chooses its weights once an hour: that costs eight times as much as to forecast. */
export function createHoltWintersModel(): RateModel {
  let chosen: { readonly weights: HoltWintersWeights; readonly endMs: number; readonly stepMs: number } | null = null;
  const periodOf = (stepMs: number) => Math.round(dayMs / stepMs);
  const isFresh = ({ stepMs, endMs }: RateHistory, maxAgeMs: number) => {
    if (chosen === null || chosen.stepMs !== stepMs) return false;
    return endMs >= chosen.endMs && endMs - chosen.endMs < maxAgeMs;
  };
  function* learn(history: RateHistory, steps: number) {
    const { qps, stepMs, endMs } = history;
    const period = periodOf(stepMs);
    if (qps.length < 2 * period || isFresh(history, hourMs)) return;
    chosen = { weights: yield* tryWeights(qps, steps, period), endMs, stepMs };
  }
  return {
    name: "holt-winters",
    learn,
    forecast(history, steps) {
      const { qps, stepMs } = history;
      // Between forecasts there is time to choose: a forecast makes do with weights that are a little old.
      if (!isFresh(history, 1.5 * hourMs)) runToEnd(learn(history, steps));
      return chosen === null ? null : holtWinters(qps, steps, periodOf(stepMs), chosen.weights);
    },
  };
}
