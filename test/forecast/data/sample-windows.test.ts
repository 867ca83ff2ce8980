import { expect, test } from "bun:test";
import { findOrigins, splitByTime, strideFor } from "#forecast/data/sample-windows.ts";

const steady = (length: number) => new Array<number | null>(length).fill(1);
const withGap = (length: number, from: number, count: number) => steady(length).fill(null, from, from + count);

test.each([
  { name: "nothing", qps: [], expected: [] },
  { name: "a minute too short", qps: steady(74), expected: [] },
  { name: "one window", qps: steady(75), expected: [60] },
  { name: "two windows", qps: steady(76), expected: [60, 61] },
  { name: "twelve gaps in the input", qps: withGap(75, 10, 12), expected: [60] },
  { name: "thirteen gaps in the input", qps: withGap(75, 10, 13), expected: [] },
  { name: "one gap in the output", qps: withGap(75, 74, 1), expected: [] },
  { name: "no traffic in the input", qps: [...new Array(60).fill(0), ...steady(15)], expected: [] },
  { name: "one request in the input", qps: [...new Array(59).fill(0), 1, ...new Array(15).fill(0)], expected: [60] },
])("$name", ({ qps, expected }) => {
  expect(findOrigins(qps)).toEqual([...expected]);
});

test("no minute is forecast in two parts, and the parts follow one another", () => {
  const length = 1_000;
  const split = splitByTime(findOrigins(steady(length)), length);
  expect([split.train[0], split.train.at(-1)]).toEqual([60, 685]);
  expect([split.validation[0], split.validation.at(-1)]).toEqual([700, 835]);
  expect([split.test[0], split.test.at(-1)]).toEqual([850, 985]);
});

test.each([
  { minutes: 0, stride: 1 },
  { minutes: 1_440, stride: 1 },
  { minutes: 2_142, stride: 1 },
  { minutes: 2_143, stride: 2 },
  { minutes: 43_200, stride: 21 },
])("$minutes minutes: each pass takes every $stride. window", ({ minutes, stride }) => {
  expect(strideFor(minutes)).toBe(stride);
});
