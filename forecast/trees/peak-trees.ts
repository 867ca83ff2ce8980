import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { learnPeaks, type PeakCoefficients, type PeakRows } from "#forecast/quantiles/peak-coefficients.ts";
import { inOrder, type PeakQuantiles, peakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import type { QuantileRegression } from "#forecast/quantiles/quantile-regression.ts";
import { levelBefore, type PreparedHistory, prepareHistory, windowSteps } from "#forecast/quantiles/rate-statistics.ts";
import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { dayMs } from "#platform/time.ts";
import { binColumns } from "./bin-columns.ts";
import { boostQuantile } from "./boost-quantile.ts";
import { type Tree, treeValue } from "./grow-tree.ts";
import type { KeptTrees, TreeFit } from "./kept-trees.ts";
import { treeInputCount, writeTreeInputs } from "./tree-inputs.ts";

/** More rows are thinned out evenly; the linear part makes do with a third of them. */
const maxRows = 6_000;
const linearShare = 1 / 3;
/** Rows collected between two yields: a few milliseconds. */
const rowsPerSlice = 200;
/** Fewer rows are too few for the linear part. */
const minRows = 8 * treeInputCount;
/** A clock time says nothing before it has come again. */
const minRecordMs = 2 * dayMs;
/** Few leaves and small steps. Steps of 0.1 err up to 1 % more on noisy traffic, trees of 4 leaves 3 % more where the clock decides. */
const shape = {
  trees: 60,
  maxLeaves: 6,
  minLeafRows: 100,
  learningRate: 0.05,
  rowShare: 0.6,
  columnShare: 0.4,
};
const seed = 1;
/** Hours of the night in which a new fit is due half a day after the last one. */
const night = { from: 2, to: 5 };
const newestRateColumn = 1;

/**
 * Creates gradient-boosted trees that forecast the quantiles of the highest rate in the coming steps. A linear quantile regression on the same
 * inputs is what they start from: trees can't continue a trend, a line can't know that the job at 00:01 comes at no other time. Fitted once a day,
 * at night where the record is long enough.
 * @param kept fits from earlier runs and from the night's trainer
 */
export function createPeakTrees(name: string, kept: KeptTrees | null = null): QuantileRegression {
  let fit: TreeFit | null = null;
  const adopt = () => {
    const found = kept?.newest() ?? null;
    if (found !== null && (fit === null || found.endMs >= fit.endMs)) fit = found;
  };

  const isFresh = ({ qps, stepMs, endMs, calendar }: RateHistory, steps: number) => {
    if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs) return false;
    const ageMs = endMs - fit.endMs;
    const { hour } = calendar(endMs);
    const isNight = hour >= night.from && hour < night.to;
    return ageMs >= 0 && ageMs < Math.min(isNight ? dayMs / 2 : dayMs, (qps.length * stepMs) / 4);
  };

  return {
    name,
    *learn(history, steps) {
      adopt();
      if (isFresh(history, steps)) return;
      const before = fit !== null && fit.steps === steps ? fit.linear : null;
      const found = yield* fitPeakTrees(history, steps, before);
      if (found === null) return;
      fit = found;
      kept?.save(found);
    },
    forecast(history, steps) {
      adopt();
      if (fit === null || fit.steps !== steps || fit.stepMs !== history.stepMs) return null;
      const origin = history.qps.length;
      if (origin < windowSteps) return null;
      const prepared = prepareHistory(history, steps);
      const level = levelBefore(prepared, origin);
      if (level === 0) return [0, 0, 0];
      const inputs = new Float64Array(treeInputCount);
      writeTreeInputs(inputs, prepared, origin, level);
      return applyFit(fit, inputs, level);
    },
  };
}

/**
 * Fits the trees to a record, in slices of a few milliseconds.
 * @param before coefficients of an earlier fit to start from
 * @returns null where the record is too short or has no traffic
 */
export function* fitPeakTrees(
  history: RateHistory,
  steps: number,
  before: PeakCoefficients | null,
): Generator<void, TreeFit | null, void> {
  const found = yield* fitTrees(prepareHistory(history, steps), before);
  return found === null ? null : { ...found, endMs: history.endMs, steps, stepMs: history.stepMs };
}

function applyFit({ linear, trees }: TreeFit, inputs: Float64Array, level: number): PeakQuantiles {
  return inOrder(
    linear.map((coefficients, which) =>
      (trees[which] as readonly Tree[]).reduce(
        (sum, tree) => sum + level * treeValue(tree, inputs),
        level * dot(coefficients, inputs, 0),
      ),
    ),
  );
}

function* fitTrees(
  prepared: PreparedHistory,
  before: PeakCoefficients | null,
): Generator<void, Pick<TreeFit, "linear" | "trees"> | null, void> {
  const rows = yield* collectRows(prepared);
  if (rows === null) return null;
  const { inputs, targets, levels, columns } = rows;
  const linear = yield* learnPeaks(drawThird(rows), before, newestRateColumn);
  if (linear === null) return null;
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  // As in the regressions, the loss is in requests per second, and a busy hour counts for four others at most.
  const weights = levels.map((level) => Math.min(4, level / mean));
  const binned = yield* binColumns(inputs, columns);
  const trees: Tree[][] = [];
  for (const [which, quantile] of peakQuantiles.entries()) {
    const start = targets.map((_, row) => dot(linear[which] as Float64Array, inputs, row * columns));
    const own = { inputs, binned, targets, weights, start };
    trees.push(yield* boostQuantile(own, { ...shape, quantile, seed: seed + which }));
  }
  return { linear, trees };
}

/** Collects the moments of a record with the traffic that followed, newest first; null when there are too few. */
function* collectRows(prepared: PreparedHistory): Generator<void, PeakRows | null, void> {
  const { history, steps } = prepared;
  const { qps } = history;
  const available = qps.length - steps - windowSteps + 1;
  if (available < minRows || qps.length * history.stepMs < minRecordMs) return null;
  const stride = Math.ceil(available / maxRows);
  const count = Math.floor((available - 1) / stride) + 1;
  const columns = treeInputCount;
  const inputs = new Float64Array(count * columns);
  const targets = new Float64Array(count);
  const levels = new Float64Array(count);
  const addRow = (row: number) => {
    const origin = qps.length - steps - row * stride;
    const level = levelBefore(prepared, origin);
    levels[row] = level;
    if (level === 0) return;
    writeTreeInputs(inputs.subarray(row * columns, (row + 1) * columns), prepared, origin, level);
    targets[row] = Math.max(...qps.slice(origin, origin + steps)) / level;
  };
  for (let row = 0; row < count; row += 1) {
    addRow(row);
    if (row % rowsPerSlice === rowsPerSlice - 1) yield;
  }
  return { inputs, targets, levels, columns };
}

/** Draws a third of the rows. Every third one would always be of the same minutes of the hour. */
function drawThird({ inputs, targets, levels, columns }: PeakRows): PeakRows {
  const random = seededRandom(seed);
  const drawn = [...targets.keys()].filter(() => random() < linearShare);
  const own = new Float64Array(drawn.length * columns);
  for (const [place, row] of drawn.entries())
    own.set(inputs.subarray(row * columns, (row + 1) * columns), place * columns);
  return {
    inputs: own,
    targets: Float64Array.from(drawn, (row) => targets[row] as number),
    levels: Float64Array.from(drawn, (row) => levels[row] as number),
    columns,
  };
}

function dot(coefficients: Float64Array, inputs: Float64Array, offset: number): number {
  let sum = 0;
  for (let column = 0; column < coefficients.length; column += 1) {
    sum += (coefficients[column] as number) * (inputs[offset + column] as number);
  }
  return sum;
}
