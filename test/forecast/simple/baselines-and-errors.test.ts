import { describe, expect, test } from "bun:test";
import { measureErrors, poissonFloorPercent } from "#forecast/judge/error-measures.ts";
import { lastValue, movingAverage } from "#forecast/simple/baselines.ts";

test.each([
  { name: "last value", baseline: lastValue, qps: [1, 2, 9], expected: [9, 9] },
  { name: "last value of nothing", baseline: lastValue, qps: [], expected: [0, 0] },
  { name: "average", baseline: movingAverage(3), qps: [100, 1, 2, 6], expected: [3, 3] },
  { name: "average of fewer", baseline: movingAverage(3), qps: [4, 2], expected: [3, 3] },
  { name: "average of nothing", baseline: movingAverage(3), qps: [], expected: [0, 0] },
])("$name", ({ baseline, qps, expected }) => {
  expect(baseline(qps, 2)).toEqual([...expected]);
});

describe("measureErrors", () => {
  test("by hand", () => {
    // errors +1, -2, +3; sum of actual 10, mean 10/3, spread 4²+4²+2² over 3² = 26/3·…
    const errors = measureErrors([2, 6, 2], [3, 4, 5]);
    expect(errors.count).toBe(3);
    expect(errors.mae).toBeCloseTo(2, 12);
    expect(errors.wapePercent).toBeCloseTo(60, 12);
    expect(errors.mapePercent).toBeCloseTo((100 * (1 / 2 + 2 / 6 + 3 / 2)) / 3, 12);
    expect(errors.zeros).toBe(0);
    // spread: 2·(4/3)² + (8/3)² = 96/9; squared errors 14
    expect(errors.r2).toBeCloseTo(1 - 14 / (96 / 9), 12);
    expect(errors.bias).toBeCloseTo(2 / 3, 12);
  });

  test.each([
    {
      name: "perfect",
      actual: [1, 3],
      forecast: [1, 3],
      expected: { mae: 0, wapePercent: 0, mapePercent: 0, zeros: 0, r2: 1, bias: 0 },
    },
    {
      name: "some zeros",
      actual: [0, 4],
      forecast: [2, 2],
      expected: { mae: 2, wapePercent: 100, mapePercent: 50, zeros: 1, r2: 0, bias: 0 },
    },
    {
      name: "all zeros",
      actual: [0, 0],
      forecast: [1, 1],
      expected: { mae: 1, wapePercent: null, mapePercent: null, zeros: 2, r2: null, bias: 1 },
    },
    {
      name: "one value",
      actual: [5],
      forecast: [4],
      expected: { mae: 1, wapePercent: 20, mapePercent: 20, zeros: 0, r2: null, bias: -1 },
    },
  ])("$name", ({ actual, forecast, expected }) => {
    expect(measureErrors(actual, forecast)).toEqual({ count: actual.length, ...expected });
  });

  test.each([
    { name: "nothing", actual: [], forecast: [] },
    { name: "different lengths", actual: [1, 2], forecast: [1] },
  ])("refuses $name", ({ actual, forecast }) => {
    expect(() => measureErrors(actual, forecast)).toThrow(RangeError);
  });
});

test.each([
  { name: "none", counts: [], expected: null },
  { name: "silence", counts: [0, 0], expected: null },
  { name: "100 a step", counts: [100, 100], expected: 100 * Math.sqrt(2 / (Math.PI * 100)) },
])("Poisson noise: $name", ({ counts, expected }) => {
  const floor = poissonFloorPercent(counts);
  if (expected === null) expect(floor).toBeNull();
  else expect(floor).toBeCloseTo(expected, 9);
});
