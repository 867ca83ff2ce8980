import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import type { BinnedColumns } from "./bin-columns.ts";
import { growTree, type Tree, type TreeShape, treeValue } from "./grow-tree.ts";

export interface BoostOptions extends TreeShape {
  readonly quantile: number;
  readonly trees: number;
  /** Share of each tree's values that is added. */
  readonly learningRate: number;
  /** Shares of rows and columns that each tree is grown from. */
  readonly rowShare: number;
  readonly columnShare: number;
  /** Start of the random choice of these. */
  readonly seed: number;
}

/** Rows with their targets. */
export interface BoostRows {
  readonly inputs: Float64Array;
  readonly binned: BinnedColumns;
  readonly targets: Float64Array;
  /** Weights of the rows' errors, none negative. */
  readonly weights: Float64Array;
  /** Forecasts that the trees correct. */
  readonly start: Float64Array;
}

/**
 * Gradient boosting of a quantile (Friedman 2001): each tree is grown from the directions in which the rows want their forecasts to move, and
 * a leaf's value is the quantile of its rows' errors. Yields after each tree (a few milliseconds).
 * @returns the trees, values already multiplied by the learning rate.
 */
export function* boostQuantile(rows: BoostRows, options: BoostOptions): Generator<void, Tree[], void> {
  const { inputs, binned, targets, weights } = rows;
  const { quantile, rowShare, columnShare, learningRate } = options;
  const random = seededRandom(options.seed);
  const errors = targets.map((target, row) => target - (rows.start[row] as number));
  const columns = binned.limits.length;
  const all = Array.from({ length: columns }, (_, column) => column).filter(
    (column) => (binned.limits[column]?.length ?? 0) > 0,
  );
  const trees: Tree[] = [];
  for (let round = 0; round < options.trees; round += 1) {
    const pulls = errors.map((error, row) => (weights[row] as number) * (error > 0 ? quantile : quantile - 1));
    const chosen = Int32Array.from({ length: binned.rows }, (_, row) => row).filter(
      (row) => (weights[row] as number) > 0 && random() < rowShare,
    );
    const drawn = all.filter(() => random() < columnShare);
    const tree = growTree(binned, options, {
      pulls,
      weights,
      rows: chosen,
      columns: drawn,
      leafValue: (leaf) => learningRate * weightedQuantile(leaf, errors, weights, quantile),
    });
    trees.push(tree);
    for (let row = 0; row < binned.rows; row += 1)
      errors[row] = (errors[row] as number) - treeValue(tree, inputs, row * columns);
    yield;
  }
  return trees;
}

/** Smallest value that at least the share `quantile` of the weight does not exceed; 0 without weight. */
export function weightedQuantile(
  rows: Int32Array,
  values: Float64Array,
  weights: Float64Array,
  quantile: number,
): number {
  const sorted = Int32Array.from(rows).sort((a, b) => (values[a] as number) - (values[b] as number));
  let total = 0;
  for (const row of sorted) total += weights[row] as number;
  let below = 0;
  for (const row of sorted) {
    below += weights[row] as number;
    if (below >= quantile * total) return values[row] as number;
  }
  return 0;
}
