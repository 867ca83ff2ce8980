import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { applyPeaks, learnPeaks, type PeakCoefficients, type PeakRows } from "./peak-coefficients.ts";
import type { PeakQuantiles } from "./peak-quantiles.ts";
import {
  coreStatisticsCount,
  levelBefore,
  type PreparedHistory,
  prepareHistory,
  statisticsCount,
  windowSteps,
  writeStatistics,
} from "./rate-statistics.ts";

export interface QuantileRegressionShape {
  readonly name: string;
  /** all: with calendar and seasons; core: only the newest hour's rates. Fewer inputs need less record and err less where days differ. */
  readonly inputs: "all" | "core";
  /** Length of the record that it learns from. */
  readonly memoryMs: number;
}

export interface QuantileRegression {
  readonly name: string;
  /**
   * Refits when due, in slices of a few milliseconds; the caller may yield to others between two `next()` calls.
   */
  learn(history: RateHistory, steps: number): Generator<void, void, void>;
  /** Quantiles of the highest of the coming steps; null before anything was learnt. */
  forecast(history: RateHistory, steps: number): PeakQuantiles | null;
}

/** More rows are thinned out evenly. */
const maxRows = 2_000;
/** Minimum rows for each coefficient. */
const rowsPerInput = 8;
/** Steps by which the record grows between fits, or an eighth of it while it is short. */
const refitSteps = 240;
/** Index of the newest rate: the forecast that learning starts from. */
const newestRateColumn = 1;

interface Fit {
  readonly coefficients: PeakCoefficients;
  readonly endMs: number;
  readonly steps: number;
  readonly stepMs: number;
}

/**
 * Linear quantile regression of the highest rate in the coming steps on the newest hour, the calendar and the same time on earlier days.
 * Everything is in units of the window's own level, and a row weighs as much as its level: pinball loss is homogeneous, so this is the loss in
 * requests per second.
 */
export function createQuantileRegression(shape: QuantileRegressionShape): QuantileRegression {
  const columns = shape.inputs === "all" ? statisticsCount : coreStatisticsCount;
  let fit: Fit | null = null;

  const isFresh = ({ qps, stepMs, endMs }: RateHistory, steps: number) => {
    if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs) return false;
    const grown = (endMs - fit.endMs) / stepMs;
    return grown >= 0 && grown < Math.min(refitSteps, Math.max(15, qps.length / 8));
  };

  const collect = (prepared: PreparedHistory): PeakRows | null => {
    const { history, steps } = prepared;
    const { qps, stepMs } = history;
    const first = Math.max(windowSteps, qps.length - Math.round(shape.memoryMs / stepMs));
    const available = qps.length - steps - first + 1;
    if (available < rowsPerInput * columns) return null;
    const stride = Math.ceil(available / maxRows);
    const count = Math.floor((available - 1) / stride) + 1;
    const levels = new Float64Array(count);
    const inputs = new Float64Array(count * columns);
    const targets = new Float64Array(count);
    const statistics = new Float64Array(statisticsCount);
    for (let row = 0; row < count; row += 1) {
      // From the newest backwards, so that thinning never leaves the newest out.
      const origin = qps.length - steps - row * stride;
      const level = levelBefore(prepared, origin);
      levels[row] = level;
      if (level === 0) continue;
      writeStatistics(statistics, prepared, origin, level);
      inputs.set(columns === statisticsCount ? statistics : statistics.subarray(0, columns), row * columns);
      let highest = 0;
      for (let step = 0; step < steps; step += 1) highest = Math.max(highest, qps[origin + step] as number);
      targets[row] = highest / level;
    }
    return { inputs, targets, levels, columns };
  };

  return {
    name: shape.name,
    *learn(history, steps) {
      if (isFresh(history, steps)) return;
      const rows = collect(prepareHistory(history, steps));
      yield;
      if (rows === null) return;
      const before = fit !== null && fit.steps === steps ? fit.coefficients : null;
      const coefficients = yield* learnPeaks(rows, before, newestRateColumn);
      if (coefficients !== null) fit = { coefficients, endMs: history.endMs, steps, stepMs: history.stepMs };
    },
    forecast(history, steps) {
      if (fit === null || fit.steps !== steps || fit.stepMs !== history.stepMs) return null;
      if (history.qps.length < windowSteps) return null;
      const prepared = prepareHistory(history, steps);
      const level = levelBefore(prepared, history.qps.length);
      if (level === 0) return [0, 0, 0];
      const statistics = new Float64Array(statisticsCount);
      writeStatistics(statistics, prepared, history.qps.length, level);
      return applyPeaks(fit.coefficients, statistics, level);
    },
  };
}
