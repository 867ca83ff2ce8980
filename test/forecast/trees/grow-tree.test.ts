import { expect, test } from "bun:test";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { binColumns } from "#forecast/trees/bin-columns.ts";
import { growTree, treeValue } from "#forecast/trees/grow-tree.ts";

const shape = { maxLeaves: 4, minLeafRows: 1 };

/** Grows a tree on one row of inputs for each of the pulls, all weights one, leaves worth the mean pull of their rows. */
function grow(
  inputs: readonly (readonly number[])[],
  pulls: readonly number[],
  options: Partial<typeof shape> & { weights?: number[] } = {},
) {
  const columns = inputs[0]?.length ?? 0;
  const task = {
    pulls: Float64Array.from(pulls),
    weights: Float64Array.from(options.weights ?? pulls.map(() => 1)),
    rows: Int32Array.from(pulls.keys()),
    columns: Array.from({ length: columns }, (_, column) => column),
    leafValue: (rows: Int32Array) => rows.reduce((sum, row) => sum + pulls[row]!, 0) / rows.length,
  };
  return growTree(runToEnd(binColumns(Float64Array.from(inputs.flat()), columns)), { ...shape, ...options }, task);
}

test("the first split is the one that gains most", () => {
  // By hand: after 2 the sums are -2 of two rows and 6 of three, so the gain is 4 / 2 + 36 / 3 - 16 / 5 = 10.8; after 1 it is 1 + 25 / 4 - 3.2 = 4.05.
  const tree = grow([[1], [2], [3], [4], [5]], [-1, -1, 2, 2, 2], { maxLeaves: 2 });
  expect(tree).toEqual({ columns: [0, -1, -1], values: [2, -1, 2], children: [1, 0, 0] });
});

test("the column that says more is split by, the first of equals", () => {
  const pulls = [-1, -1, 1, 1];
  expect(
    grow(
      [
        [1, 1],
        [2, 1],
        [1, 2],
        [2, 2],
      ],
      pulls,
    ).columns[0],
  ).toBe(1);
  expect(
    grow(
      [
        [1, 1],
        [1, 1],
        [2, 2],
        [2, 2],
      ],
      pulls,
    ).columns[0],
  ).toBe(0);
});

test("the leaf that gains most is split next", () => {
  // After the split at 4, the right side (5, 5, 10, 10) gains 50 + 200 - 225 = 25, the left one (-9, -9, -8, -8) gains 1.
  const pulls = [-9, -9, -8, -8, 5, 5, 10, 10];
  const tree = grow(
    pulls.map((_, row) => [row + 1]),
    pulls,
    { maxLeaves: 3 },
  );
  expect(tree.columns).toEqual([0, -1, 0, -1, -1]);
  expect([1, 4, 5, 6, 7, 99].map((value) => treeValue(tree, [value]))).toEqual([-8.5, -8.5, 5, 5, 10, 10]);
});

test("both sides are split further by their own rows, whichever of them is larger", () => {
  for (const pulls of [
    [5, 5, 5, 10, 10, 10, -90],
    [-90, 5, 5, 5, 10, 10, 10],
  ]) {
    const rows = pulls.map((_, row) => [row + 1]);
    const tree = grow(rows, pulls, { maxLeaves: 3 });
    expect(rows.map((inputs) => treeValue(tree, inputs))).toEqual(pulls);
  }
});

test("rows of little weight are split by, too", () => {
  const tree = grow([[1], [2], [3], [4]], [-1, -1, 1, 1], { weights: [0.1, 0.1, 0.1, 0.1], maxLeaves: 2 });
  expect([1, 2, 3, 4].map((value) => treeValue(tree, [value]))).toEqual([-1, -1, 1, 1]);
});

test("weights count in the gain", () => {
  const inputs = [[1], [2], [3], [4]];
  expect(grow(inputs, [-4, 0, 0, 3], { maxLeaves: 2 }).values[0]).toBe(1);
  // A row of large weight is not moved by the same pull.
  expect(grow(inputs, [-4, 0, 0, 3], { maxLeaves: 2, weights: [100, 1, 1, 1] }).values[0]).toBe(3);
});

test.each([
  { name: "no rows", inputs: [], pulls: [] },
  { name: "one row", inputs: [[1]], pulls: [1] },
  { name: "equal inputs", inputs: [[1], [1], [1]], pulls: [1, -1, 1] },
  { name: "equal pulls: nothing to gain", inputs: [[1], [2], [3]], pulls: [1, 1, 1] },
])("$name: one leaf", ({ inputs, pulls }) => {
  expect(grow(inputs, pulls).columns).toEqual([-1]);
});

test("no leaf has fewer rows than the minimum", () => {
  expect(grow([[1], [2], [3], [4]], [9, 0, 0, 0], { minLeafRows: 2 }).values[0]).toBe(2);
  expect(grow([[1], [2], [3]], [9, 0, 0], { minLeafRows: 2 }).columns).toEqual([-1]);
});

test("what is not a number goes to the second child", () => {
  expect(treeValue(grow([[1], [2]], [-1, 1]), [Number.NaN])).toBe(1);
});
