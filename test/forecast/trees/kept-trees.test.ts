import { describe, expect, test } from "bun:test";
import { KeptTrees, maxTrees, type TreeFit, treesFromText, treesToText } from "#forecast/trees/kept-trees.ts";
import { treeInputCount } from "#forecast/trees/tree-inputs.ts";
import { maxMessageBytes } from "#protocol/codec.ts";

const leaf = { columns: [-1], values: [0.25], children: [0] };
const split = { columns: [3, -1, -1], values: [0.1, -1, 1 / 3], children: [1, 0, 0] };
const fit: TreeFit = {
  linear: [1, 2, 3].map((value) => new Float64Array(treeInputCount).fill(value / 7)),
  trees: [[leaf, split], [split], []],
  endMs: 1_800_000_000_000,
  steps: 15,
  stepMs: 60_000,
};

test("a fit comes back as it was", () => {
  expect(treesFromText(treesToText(fit))).toEqual(fit);
});

test("the largest that is fitted is kept whole", () => {
  const full = {
    columns: [5, 5, 5, 5, 5, -1, -1, -1, -1, -1, -1],
    values: new Array(11).fill(-1 / 3),
    children: [1, 3, 5, 7, 9, 0, 0, 0, 0, 0, 0],
  };
  const large: TreeFit = {
    ...fit,
    linear: fit.linear.map((each) => each.map(() => -1 / 3)),
    trees: [0, 1, 2].map(() => new Array(60).fill(full)),
  };
  const text = treesToText(large);
  expect(text.length).toBeLessThan(maxMessageBytes);
  expect(treesFromText(text)).toEqual(large);
});

/** Writes a fit with a change, and a checksum that is right. */
function sealed(change: (kept: { [key: string]: unknown }) => void): string {
  const { fit: kept } = JSON.parse(treesToText(fit));
  change(kept);
  return JSON.stringify({
    sha256: new Bun.CryptoHasher("sha256").update(JSON.stringify(kept)).digest("hex"),
    fit: kept,
  });
}
const withTree = (tree: object) => sealed((kept) => (kept["trees"] = [[tree], [], []]));

describe("nothing is read from", () => {
  test.each([
    ["nothing", ""],
    ["half of it", treesToText(fit).slice(0, 500)],
    ["something else", '{"sha256":1}'],
    ["a changed figure", treesToText(fit).replace("0.25", "0.26")],
    ["another version", sealed((kept) => (kept["version"] = 2))],
    ["a field too few", sealed((kept) => delete kept["linear"])],
    ["coefficients of other inputs", sealed((kept) => (kept["linear"] = [[1], [1], [1]]))],
    ["two quantiles", sealed((kept) => (kept["trees"] = [[], []]))],
    ["too many trees", sealed((kept) => (kept["trees"] = [new Array(maxTrees + 1).fill(leaf), [], []]))],
    ["no step", sealed((kept) => (kept["steps"] = 0))],
    ["a time that never comes", sealed((kept) => (kept["endMs"] = 1e16))],
    ["a figure beyond all bounds", withTree({ ...leaf, values: [1e16] })],
    ["a column that there is not", withTree({ ...split, columns: [treeInputCount, -1, -1] })],
    ["a tree without nodes", withTree({ columns: [], values: [], children: [] })],
    ["a tree with a loop", withTree({ ...split, children: [0, 0, 0] })],
    ["a child that there is not", withTree({ ...split, children: [2, 0, 0] })],
    ["a leaf with children", withTree({ ...split, children: [1, 1, 0] })],
    ["lists of other lengths", withTree({ ...split, values: [1, 2] })],
    ["lists of other lengths, too", withTree({ ...split, children: [1, 0] })],
  ])("%s", (_name, text) => {
    expect(treesFromText(text)).toBeNull();
  });

  test("unless it is whole", () => {
    expect(treesFromText(withTree(split))?.trees).toEqual([[split], [], []]);
    expect(treesFromText(sealed((kept) => (kept["trees"] = [new Array(maxTrees).fill(leaf), [], []])))).not.toBeNull();
  });
});

test("a fit is handed out once, and those that were saved here not at all", () => {
  let text: string | null = null;
  const memory = {
    load: () => text,
    save: (written: string) => {
      text = written;
    },
  };
  const kept = new KeptTrees(memory);
  expect(kept.newest()).toBeNull();
  kept.save(fit);
  expect(kept.newest()).toBeNull();
  expect(new KeptTrees(memory).newest()).toEqual(fit);
  memory.save(treesToText({ ...fit, steps: 3 }));
  expect(kept.newest()?.steps).toBe(3);
  expect(kept.newest()).toBeNull();
  memory.save("nonsense");
  expect(kept.newest()).toBeNull();
});
