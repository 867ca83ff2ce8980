import { expect, test } from "bun:test";
import { createMedianFactor } from "#forecast/quantiles/median-factor.ts";

/** Feeds single-step outcomes, the same list again and again. */
function after(forecasts: number, outcomes: readonly (readonly [forecast: number, actual: number | null])[]) {
  const median = createMedianFactor();
  for (let index = 0; index < forecasts; index += 1) {
    const [forecast, actual] = outcomes[index % outcomes.length]!;
    median.observe([forecast], [actual]);
  }
  return median.factor();
}

test.each([
  { name: "nothing is known", forecasts: 0, outcomes: [[10, 5]], expected: 1 },
  { name: "too little is known", forecasts: 99, outcomes: [[10, 5]], expected: 1 },
  // Half of what was forecast comes: four fifths of the way from 1 to 0.5.
  { name: "always half", forecasts: 100, outcomes: [[10, 5]], expected: 0.6 },
  { name: "twice as much", forecasts: 400, outcomes: [[10, 20]], expected: 1.8 },
  { name: "right", forecasts: 400, outcomes: [[10, 10]], expected: 1 },
  // Two of three stay at nothing, the third brings three times the mean.
  {
    name: "mostly nothing",
    forecasts: 399,
    outcomes: [
      [1, 0],
      [1, 0],
      [1, 3],
    ],
    expected: 0.2,
  },
  // Of the weight 10 + 1 + 1 the most says 1.
  {
    name: "large forecasts weigh more",
    forecasts: 399,
    outcomes: [
      [10, 10],
      [1, 3],
      [1, 3],
    ],
    expected: 1,
  },
  { name: "not counted", forecasts: 400, outcomes: [[10, null]], expected: 1 },
  { name: "forecasts of nothing", forecasts: 400, outcomes: [[0, 7]], expected: 1 },
] as const)("$name", ({ forecasts, outcomes, expected }) => {
  expect(after(forecasts, outcomes)).toBeCloseTo(expected, 4);
});

test("the newest forecasts count", () => {
  const median = createMedianFactor();
  for (let index = 0; index < 400; index += 1) median.observe([10], [5]);
  for (let index = 0; index < 400; index += 1) median.observe([10, 10], [10, 10]);
  expect(median.factor()).toBeCloseTo(1, 4);
});

test("is learnt anew after every twenty forecasts", () => {
  const median = createMedianFactor();
  for (let index = 0; index < 100; index += 1) median.observe([1], [2]);
  expect(median.factor()).toBeCloseTo(1.8, 6);
  for (let index = 0; index < 19; index += 1) median.observe([1_000], [1_000]);
  expect(median.factor()).toBeCloseTo(1.8, 6);
  median.observe([1_000], [1_000]);
  expect(median.factor()).toBeCloseTo(1, 6);
  for (let index = 0; index < 19; index += 1) median.observe([1e6], [2e6]);
  expect(median.factor()).toBeCloseTo(1, 6);
  median.observe([1e6], [2e6]);
  expect(median.factor()).toBeCloseTo(1.8, 6);
});

test("the newest 400 forecasts count", () => {
  const after = (later: number) => {
    const median = createMedianFactor();
    median.observe([1e6], [2e6]);
    for (let index = 0; index < later; index += 1) median.observe([1], [1]);
    return median.factor();
  };
  expect(after(399)).toBeCloseTo(1.8, 6);
  expect(after(400)).toBeCloseTo(1, 6);
});

test("actual rates of ten times the forecast count as four times", () => {
  expect(after(100, [[10, 100]])).toBeCloseTo(1 + 0.8 * 3, 6);
});
