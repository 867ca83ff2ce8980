import { expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { binColumns } from "#forecast/trees/bin-columns.ts";
import { boostQuantile, weightedQuantile } from "#forecast/trees/boost-quantile.ts";
import { treeValue } from "#forecast/trees/grow-tree.ts";

const options = {
  quantile: 0.9,
  trees: 60,
  learningRate: 0.2,
  maxLeaves: 4,
  minLeafRows: 20,
  rowShare: 0.7,
  columnShare: 1,
  seed: 1,
};

function boost(inputs: number[], targets: number[], changed: Partial<typeof options> = {}) {
  const values = Float64Array.from(inputs);
  const rows = {
    inputs: values,
    binned: runToEnd(binColumns(values, 1)),
    targets: Float64Array.from(targets),
    weights: new Float64Array(targets.length).fill(1),
    start: new Float64Array(targets.length),
  };
  return runToEnd(boostQuantile(rows, { ...options, ...changed }));
}

const random = seededRandom(3);
/** Uniform between 0 and 1 in the first half of the inputs, between 10 and 20 in the second. */
const inputs = Array.from({ length: 2_000 }, () => random());
const targets = inputs.map((input) => (input < 0.5 ? random() : 10 + 10 * random()));
const forecast = (trees: ReturnType<typeof boost>, input: number) =>
  trees.reduce((sum, tree) => sum + treeValue(tree, [input]), 0);

test.each([0.5, 0.9, 0.95])("the quantile %p on both sides of a step", (quantile) => {
  const trees = boost(inputs, targets, { quantile });
  expect(forecast(trees, 0.25)).toBeWithin(quantile - 0.08, quantile + 0.08);
  expect(forecast(trees, 0.75)).toBeWithin(10 + 10 * quantile - 0.8, 10 + 10 * quantile + 0.8);
});

test("there are as many trees as asked for", () => {
  expect(boost(inputs, targets, { trees: 7 })).toHaveLength(7);
});

test("the same seed gives the same trees, another seed others", () => {
  expect(boost(inputs, targets)).toEqual(boost(inputs, targets));
  expect(boost(inputs, targets, { seed: 2 })).not.toEqual(boost(inputs, targets));
});

test("a constant is met exactly, whatever the inputs", () => {
  const trees = boost(
    inputs,
    targets.map(() => 7),
    { learningRate: 1 },
  );
  expect(forecast(trees, 0.3)).toBe(7);
});

test("without rows the trees say nothing", () => {
  expect(forecast(boost([], []), 0.3)).toBe(0);
});

test.each([
  { name: "the median of three", values: [3, 1, 2], weights: [1, 1, 1], quantile: 0.5, expected: 2 },
  { name: "a heavy row decides", values: [3, 1, 2], weights: [9, 1, 1], quantile: 0.5, expected: 3 },
  { name: "a high quantile", values: [4, 3, 2, 1], weights: [1, 1, 1, 1], quantile: 0.95, expected: 4 },
  { name: "no row", values: [], weights: [], quantile: 0.5, expected: 0 },
])("$name", ({ values, weights, quantile, expected }) => {
  const rows = Int32Array.from(values.keys());
  expect(weightedQuantile(rows, Float64Array.from(values), Float64Array.from(weights), quantile)).toBe(expected);
});
