import { dayMs, hourMs } from "#platform/time.ts";
import { type RateHistory, type RateModel, runToEnd } from "./rate-model.ts";

export interface HoltWintersWeights {
  /** Smoothing of the level, 0 to 1. */
  readonly level: number;
  /** Smoothing of the slope, 0 to 1; 0 keeps a slope of zero. */
  readonly trend: number;
  /** Smoothing of the season's shape, 0 to 1. */
  readonly season: number;
}

/** Weights that are tried; the pair with the least error at the farthest step in the newest season is taken. */
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
  // Single steps of one season are mostly noise: the shape starts as their mean over half an hour (for a season of a day).
  const reach = Math.floor(period / 96);
  const season = new Float64Array(period);
  for (let index = 0; index < period; index += 1) {
    let sum = 0;
    for (let near = index - reach; near <= index + reach; near += 1) sum += qps[(near + period) % period] as number;
    season[index] = sum / (2 * reach + 1) - level;
  }
  let slope = 0;
  let absoluteError = 0;
  /** Level and slope extrapolated by `steps`, indexed by the step at which they were known. */
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
 * Additive Holt-Winters (Winters 1960): a level, a slope and a season's shape, each smoothed exponentially. They start from the first season:
 * its mean is the level, the smoothed distances from it are the shape, and the slope is zero.
 * @param weights by default no slope, and the tried weights that would have erred least in the newest season.
 * @returns null unless the history holds two seasons.
 */
export function holtWinters(
  qps: readonly number[],
  steps: number,
  period: number,
  weights?: HoltWintersWeights,
): number[] | null {
  if (period < 1 || qps.length < 2 * period) return null;
  return run(qps, steps, period, weights ?? runToEnd(tryWeights(qps, steps, period))).forecast;
}

/** Yields after each pair of weights that it tries. The history holds two seasons. */
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

/** Creates Holt-Winters with a season of a day. It chooses its weights once an hour, as choosing costs eight forecasts. */
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
      // Weights are chosen between forecasts, which make do with slightly old ones.
      if (!isFresh(history, 1.5 * hourMs)) runToEnd(learn(history, steps));
      return chosen === null ? null : holtWinters(qps, steps, periodOf(stepMs), chosen.weights);
    },
  };
}
