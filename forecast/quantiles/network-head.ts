import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { applyPeaks, learnPeaks, type PeakCoefficients } from "./peak-coefficients.ts";
import type { PeakQuantiles } from "./peak-quantiles.ts";
import { levelBefore, prepareHistory, statisticsCount, windowSteps, writeStatistics } from "./rate-statistics.ts";

/** Turns the network's path into quantiles of its highest step. */
export interface NetworkHead {
  /** Learns anew when enough new outcomes have come, in slices of a few milliseconds. */
  learn(): Generator<void, void, void>;
  /** @returns null until enough is learnt. */
  forecast(history: RateHistory, path: readonly number[]): PeakQuantiles | null;
  /** How high the rate rose in the time that began at `endMs`, for which a forecast was made. */
  observe(endMs: number, peak: number): void;
}

/**
 * Which of the window's statistics (see writeStatistics) stand beside the path: the constant, the newest rate, maxima, spreads. With all of
 * them, or with fewer, it errs more.
 */
const chosen = [0, 1, 9, 11, 12, 13, 14, 15, 16, 17];
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
  /** In levels; what came. */
  target: number;
}

/**
 * The network says a path, and a path's maximum is nearly always too low: a linear quantile regression on that path and a few statistics of
 * the window, learnt from the network's own past forecasts on this very device, says how high the peak is.
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
      const found = yield* learnPeaks({ inputs, targets, levels, columns }, coefficients, columns - 3);
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
