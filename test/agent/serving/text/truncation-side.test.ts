import { expect, test } from "bun:test";
import { keptOf, readTruncationSide } from "#agent/serving/text/truncation-side.ts";

test.each([
  { name: "no statement", definition: {}, config: {}, side: "right" },
  {
    name: "right in both",
    definition: { truncation: { direction: "Right" } },
    config: { truncation_side: "right" },
    side: "right",
  },
  { name: "no truncation in tokenizer.json", definition: { truncation: null }, config: {}, side: "right" },
  {
    name: "left in tokenizer_config.json",
    definition: {},
    config: { truncation_side: "left" },
    side: "left",
  },
  {
    name: "left in tokenizer.json",
    definition: { truncation: { direction: "Left" } },
    config: {},
    side: "left",
  },
  // The reference reads the direction of tokenizer.json only where tokenizer_config.json has no side.
  {
    name: "right over left",
    definition: { truncation: { direction: "Left" } },
    config: { truncation_side: "right" },
    side: "right",
  },
])("$name", ({ definition, config, side }) => {
  expect(readTruncationSide(definition, config)).toBe(side as "left");
});

test.each([
  { count: 2, side: "right", kept: [1, 2] },
  { count: 2, side: "left", kept: [2, 3] },
  { count: 3, side: "left", kept: [1, 2, 3] },
  { count: 0, side: "left", kept: [] },
] as const)("$count of three, cut at the $side", ({ count, side, kept }) => {
  expect(keptOf([1, 2, 3], count, side)).toEqual([...kept]);
});
