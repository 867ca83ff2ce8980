import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { applyPeaks, learnPeaks, type PeakCoefficients } from "./peak-coefficients.ts";
import type { PeakQuantiles } from "./peak-quantiles.ts";
import { levelBefore, prepareHistory, statisticsCount, windowSteps, writeStatistics } from "./rate-statistics.ts";

/** Turns the network's path into quantiles of its highest step. */
export interface NetworkHead {
  /** Refits the head once enough new outcomes are known, in slices of a few milliseconds. */
  learn(): Generator<void, void, void>;
  /** Returns null until enough is learnt. */
  forecast(history: RateHistory, path: readonly number[]): PeakQuantiles | null;
  /** Learns the highest rate in the time that began at `endMs`. */
  observe(endMs: number, peak: number): void;
}

/**
 * Indices of the window's statistics (see writeStatistics) used beside the path: the constant, the newest rate, maxima, spreads. All of
 * them, or fewer, err more.
 */
const chosen = [0, 1, 9, 11, 12, 13, 14, 15, 16, 17];
/** The path's maximum, mean and last step follow the statistics. */
const pathMaximumColumn = chosen.length;
const columns = chosen.length + 3;
const minRows = 8 * columns;
const maxRows = 2_000;
const rowsBetweenFits = 25;
/** Forecasts whose time never comes (a clock set back) are dropped. */
const maxPending = 64;

interface Row {
  readonly endMs: number;
  readonly inputs: Float64Array;
  readonly level: number;
  /** Actual peak, in units of the level. */
  target: number;
}

/**
 * Linear quantile regression on the network's path and a few statistics of the window, learnt on this device from the network's own past
 * forecasts: the maximum of a path is nearly always too low.
 */
export function createNetworkHead(): NetworkHead {
  let pending: Row[] = [];
  let rows: Row[] = [];
  let rowsSinceFit = 0;
  let coefficients: PeakCoefficients | null = null;

  const rowOf = (history: RateHistory, path: readonly number[]): Row | null => {
    if (history.qps.length < windowSteps) return null;
    const prepared = prepareHistory(history, path.length);
    const level = levelBefore(prepared, history.qps.length);
    if (level === 0) return null;
    const statistics = new Float64Array(statisticsCount);
    writeStatistics(statistics, prepared, history.qps.length, level);
    const mean = path.reduce((sum, rate) => sum + rate, 0) / path.length;
    const own = [Math.max(...path), mean, path.at(-1) ?? 0].map((rate) => rate / level);
    const inputs = Float64Array.from([...chosen.map((column) => statistics[column] as number), ...own]);
    return { endMs: history.endMs, inputs, level, target: 0 };
  };

  return {
    *learn() {
      if (rows.length < minRows || (coefficients !== null && rowsSinceFit < rowsBetweenFits)) return;
      rowsSinceFit = 0;
      const inputs = new Float64Array(rows.length * columns);
      for (const [index, row] of rows.entries()) inputs.set(row.inputs, index * columns);
      const levels = Float64Array.from(rows, ({ level }) => level);
      const targets = Float64Array.from(rows, ({ target }) => target);
      const found = yield* learnPeaks({ inputs, targets, levels, columns }, coefficients, pathMaximumColumn);
      coefficients = found ?? coefficients;
    },
    forecast(history, path) {
      const row = rowOf(history, path);
      if (row === null) return null;
      if (!pending.some(({ endMs }) => endMs === row.endMs)) pending = [...pending.slice(1 - maxPending), row];
      return coefficients === null ? null : applyPeaks(coefficients, row.inputs, row.level);
    },
    observe(endMs, peak) {
      const row = pending.find((made) => made.endMs === endMs);
      pending = pending.filter((made) => made.endMs > endMs);
      if (row === undefined) return;
      row.target = peak / row.level;
      rows = [...rows.slice(1 - maxRows), row];
      rowsSinceFit += 1;
    },
  };
}
