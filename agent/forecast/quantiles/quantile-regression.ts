import type { RateHistory } from "../rate-model.ts";
import { fitQuantile } from "./fit-quantile.ts";
import { inOrder, type PeakQuantiles, peakQuantiles } from "./peak-quantiles.ts";
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
  /** all: calendar and seasons too; core: only the newest hour's rates. Fewer inputs need less record and err less where no day is like another. */
  readonly inputs: "all" | "core";
  /** How far back it learns. */
  readonly memoryMs: number;
}

export interface QuantileRegression {
  readonly name: string;
  /**
   * Learns anew when it is time, in slices of a few milliseconds: between two `next()` calls others may have their turn. Nothing to do
   * ends at once.
   */
  learn(history: RateHistory, steps: number): Generator<void, void, void>;
  /** Quantiles of the highest of the coming steps; null before anything was learnt. */
  forecast(history: RateHistory, steps: number): PeakQuantiles | null;
}

/** More rows are thinned out evenly. */
const mostRows = 2_000;
/** For each coefficient at least so many rows. */
const rowsPerInput = 8;
/** Learnt anew when the record has grown by so many steps, or while it is short by an eighth. */
const refitSteps = 240;
const firstRounds = 20;
const laterRounds = 8;
const lambda = 10;

interface Fit {
  readonly coefficients: readonly Float64Array[];
  readonly recordSteps: number;
  readonly endMs: number;
  readonly steps: number;
  readonly stepMs: number;
}

interface Rows {
  readonly inputs: Float64Array;
  readonly targets: Float64Array;
  readonly weights: Float64Array;
  readonly scales: Float64Array;
}

/**
 * Linear quantile regression of the highest rate in the coming steps on what the newest hour, the calendar and the same time on earlier days
 * say. Everything is in units of the window's own level, and a row weighs as much as its level: pinball loss is homogeneous, so that is
 * the loss in requests a second.
 */
export function createQuantileRegression(shape: QuantileRegressionShape): QuantileRegression {
  const columns = shape.inputs === "all" ? statisticsCount : coreStatisticsCount;
  let fit: Fit | null = null;

  const isFresh = ({ qps, stepMs, endMs }: RateHistory, steps: number) => {
    if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs) return false;
    const grown = (endMs - fit.endMs) / stepMs;
    return grown >= 0 && grown < Math.min(refitSteps, Math.max(15, qps.length / 8));
  };

  const collect = (prepared: PreparedHistory): Rows | null => {
    const { history, steps } = prepared;
    const { qps, stepMs } = history;
    const first = Math.max(windowSteps, qps.length - Math.round(shape.memoryMs / stepMs));
    const available = qps.length - steps - first + 1;
    if (available < rowsPerInput * columns) return null;
    const stride = Math.ceil(available / mostRows);
    const count = Math.floor((available - 1) / stride) + 1;
    const levels = new Float64Array(count);
    let mean = 0;
    // From the newest backwards, so that thinning never leaves the newest out.
    for (let row = 0; row < count; row += 1) {
      const level = levelBefore(prepared, qps.length - steps - row * stride);
      levels[row] = level;
      mean += level / count;
    }
    if (mean === 0) return null;
    const inputs = new Float64Array(count * columns);
    const targets = new Float64Array(count);
    const weights = new Float64Array(count);
    const statistics = new Float64Array(statisticsCount);
    for (let row = 0; row < count; row += 1) {
      const level = levels[row] as number;
      if (level === 0) continue;
      const origin = qps.length - steps - row * stride;
      writeStatistics(statistics, prepared, origin, level);
      inputs.set(columns === statisticsCount ? statistics : statistics.subarray(0, columns), row * columns);
      let highest = 0;
      for (let step = 0; step < steps; step += 1) highest = Math.max(highest, qps[origin + step] as number);
      targets[row] = highest / level;
      weights[row] = Math.min(4, level / mean);
    }
    return { inputs, targets, weights, scales: scaleColumns(inputs, weights, columns) };
  };

  return {
    name: shape.name,
    *learn(history, steps) {
      if (isFresh(history, steps)) return;
      const rows = collect(prepareHistory(history, steps));
      yield;
      if (rows === null) return;
      const before = fit !== null && fit.steps === steps ? fit.coefficients : null;
      const coefficients: Float64Array[] = [];
      for (const [which, quantile] of peakQuantiles.entries()) {
        const start = new Float64Array(columns);
        const known = before?.[which];
        // Without a start of its own: the level goes on.
        for (let column = 0; column < columns; column += 1) {
          start[column] = known === undefined ? 0 : (known[column] as number) * (rows.scales[column] as number);
        }
        if (known === undefined) start[0] = rows.scales[0] as number;
        const rounds = known === undefined ? firstRounds : laterRounds;
        const found = yield* fitQuantile({ ...rows, columns }, { quantile, lambda, start, rounds });
        coefficients.push(found.map((value, column) => value / (rows.scales[column] as number)));
      }
      if (!coefficients.every((each) => each.every(Number.isFinite))) return;
      fit = { coefficients, recordSteps: history.qps.length, endMs: history.endMs, steps, stepMs: history.stepMs };
    },
    forecast(history, steps) {
      if (fit === null || fit.steps !== steps || fit.stepMs !== history.stepMs) return null;
      if (history.qps.length < windowSteps) return null;
      const prepared = prepareHistory(history, steps);
      const level = levelBefore(prepared, history.qps.length);
      if (level === 0) return [0, 0, 0];
      const statistics = new Float64Array(statisticsCount);
      writeStatistics(statistics, prepared, history.qps.length, level);
      return inOrder(
        fit.coefficients.map((coefficients) => {
          let sum = 0;
          for (let column = 0; column < columns; column += 1) {
            sum += (coefficients[column] as number) * (statistics[column] as number);
          }
          return sum * level;
        }),
      );
    },
  };
}

/** Brings each column to a weighted mean square of one, in place, so that the ridge holds all back alike; returns what they were divided by. */
function scaleColumns(inputs: Float64Array, weights: Float64Array, columns: number): Float64Array {
  const squares = new Float64Array(columns);
  let total = 0;
  for (const [row, weight] of weights.entries()) {
    total += weight * weight;
    for (let column = 0; column < columns; column += 1) {
      const value = weight * (inputs[row * columns + column] as number);
      squares[column] = (squares[column] as number) + value * value;
    }
  }
  const scales = squares.map((sum) => Math.sqrt(sum / total) || 1);
  for (let index = 0; index < inputs.length; index += 1) {
    inputs[index] = (inputs[index] as number) / (scales[index % columns] as number);
  }
  return scales;
}
