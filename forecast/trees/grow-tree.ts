import { type BinnedColumns, maxBins } from "./bin-columns.ts";

/** A regression tree: nodes by index, the root first. */
export interface Tree {
  /** Column that a node splits by; -1 for a leaf. */
  readonly columns: readonly number[];
  /** Highest value that goes to the first child; the value of a leaf. */
  readonly values: readonly number[];
  /** Index of the first child, which the second one follows; 0 for a leaf. */
  readonly children: readonly number[];
}

export interface TreeShape {
  readonly maxLeaves: number;
  /** Minimum rows in a leaf. */
  readonly minLeafRows: number;
}

/** Errors that a tree is fitted to. */
export interface TreeTask {
  /** Pull of each row: its weight times the direction in which it wants its forecast to move. */
  readonly pulls: Float64Array;
  readonly weights: Float64Array;
  /** Rows that the tree is grown from. They are reordered. */
  readonly rows: Int32Array;
  /** Columns that it may split by. */
  readonly columns: readonly number[];
  /** Returns the value of a leaf with these rows. */
  readonly leafValue: (rows: Int32Array) => number;
}

interface Split {
  readonly column: number;
  readonly bin: number;
  readonly gain: number;
}

/** A leaf that may still be split. */
interface Leaf {
  readonly node: number;
  readonly from: number;
  readonly to: number;
  readonly sums: Float64Array;
  readonly split: Split | null;
}

/** Sums of a bin: pull, weight, rows. */
const perBin = 3;
const perColumn = maxBins * perBin;

/**
 * Grows a tree by always splitting the leaf that gains most (as LightGBM does: Ke and others 2017). The gain of a split is the squared pull
 * by weight of both sides less that of the whole. Every choice is determined by the task; ties go to the first column and bin.
 */
export function growTree(binned: BinnedColumns, shape: TreeShape, task: TreeTask): Tree {
  const { rows, columns } = task;
  const tree = { columns: [-1], values: [0], children: [0] };
  const leafOf = (node: number, from: number, to: number, sums: Float64Array): Leaf => ({
    ...{ node, from, to, sums },
    split: bestSplit(sums, binned, columns, shape.minLeafRows),
  });
  let leaves = [leafOf(0, 0, rows.length, sumBins(binned, task, 0, rows.length))];
  while (leaves.length < shape.maxLeaves) {
    const leaf = leaves.reduce((best, each) => ((each.split?.gain ?? 0) > (best.split?.gain ?? 0) ? each : best));
    if (leaf.split === null) break;
    const { node, from, to, sums, split } = leaf;
    const middle = partition(binned, rows, from, to, split);
    const first = tree.columns.length;
    tree.columns[node] = split.column;
    tree.values[node] = binned.limits[split.column]?.[split.bin] as number;
    tree.children[node] = first;
    for (const list of [tree.values, tree.children]) list.push(0, 0);
    tree.columns.push(-1, -1);
    // Only the smaller side is summed up; the other is the rest.
    const isFirstSmaller = middle - from <= to - middle;
    const smaller = isFirstSmaller ? sumBins(binned, task, from, middle) : sumBins(binned, task, middle, to);
    for (let index = 0; index < sums.length; index += 1)
      sums[index] = (sums[index] as number) - (smaller[index] as number);
    leaves = leaves.filter((each) => each !== leaf);
    leaves.push(
      leafOf(first, from, middle, isFirstSmaller ? smaller : sums),
      leafOf(first + 1, middle, to, isFirstSmaller ? sums : smaller),
    );
  }
  for (const { node, from, to } of leaves) tree.values[node] = task.leafValue(rows.subarray(from, to));
  return tree;
}

/** Returns the value of the leaf that a row of inputs, beginning at `offset`, ends in. */
export function treeValue(tree: Tree, inputs: ArrayLike<number>, offset = 0): number {
  let node = 0;
  for (;;) {
    const column = tree.columns[node] as number;
    const value = tree.values[node] as number;
    if (column === -1) return value;
    node = (tree.children[node] as number) + ((inputs[offset + column] as number) <= value ? 0 : 1);
  }
}

function sumBins({ bins, rows }: BinnedColumns, task: TreeTask, from: number, to: number): Float64Array {
  const { columns, pulls, weights, rows: chosen } = task;
  const sums = new Float64Array(columns.length * perColumn);
  for (let place = 0; place < columns.length; place += 1) {
    const start = (columns[place] as number) * rows;
    const base = place * perColumn;
    for (let index = from; index < to; index += 1) {
      const row = chosen[index] as number;
      const bin = base + (bins[start + row] as number) * perBin;
      sums[bin] = (sums[bin] as number) + (pulls[row] as number);
      sums[bin + 1] = (sums[bin + 1] as number) + (weights[row] as number);
      sums[bin + 2] = (sums[bin + 2] as number) + 1;
    }
  }
  return sums;
}

function bestSplit(
  sums: Float64Array,
  { limits }: BinnedColumns,
  columns: readonly number[],
  minLeafRows: number,
): Split | null {
  let best: Split | null = null;
  for (const [place, column] of columns.entries()) {
    const base = place * perColumn;
    const cuts = limits[column]?.length ?? 0;
    let [pull, weight, count] = [0, 0, 0];
    for (let bin = 0; bin <= cuts; bin += 1) {
      pull += sums[base + bin * perBin] as number;
      weight += sums[base + bin * perBin + 1] as number;
      count += sums[base + bin * perBin + 2] as number;
    }
    if (!(weight > 0)) continue;
    const whole = (pull * pull) / weight;
    let [left, leftWeight, leftCount] = [0, 0, 0];
    for (let bin = 0; bin < cuts; bin += 1) {
      left += sums[base + bin * perBin] as number;
      leftWeight += sums[base + bin * perBin + 1] as number;
      leftCount += sums[base + bin * perBin + 2] as number;
      if (leftCount < minLeafRows || count - leftCount < minLeafRows) continue;
      const rightWeight = weight - leftWeight;
      if (!(leftWeight > 0 && rightWeight > 0)) continue;
      const gain = (left * left) / leftWeight + (pull - left) ** 2 / rightWeight - whole;
      if (gain > Math.max(best?.gain ?? 0, 1e-9 * whole)) best = { column, bin, gain };
    }
  }
  return best;
}

/** Brings the rows of the first side to the front; both sides keep their order. Returns where the second one begins. */
function partition({ bins, rows }: BinnedColumns, chosen: Int32Array, from: number, to: number, split: Split): number {
  const start = split.column * rows;
  const second: number[] = [];
  let middle = from;
  for (let index = from; index < to; index += 1) {
    const row = chosen[index] as number;
    if ((bins[start + row] as number) <= split.bin) chosen[middle++] = row;
    else second.push(row);
  }
  chosen.set(second, middle);
  return middle;
}
