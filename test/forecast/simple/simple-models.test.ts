import { describe, expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { seasonalNaive } from "#forecast/simple/baselines.ts";
import { holtWinters } from "#forecast/simple/holt-winters.ts";
import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { createRidgeModel } from "#forecast/simple/ridge-model.ts";
import { createSimpleModels } from "#forecast/simple/simple-models.ts";
import { createRidgeEquations } from "#forecast/simple/solve-ridge.ts";

const calendar = createCalendar("UTC", []);
const history = (qps: readonly number[], endMs = Date.UTC(2026, 0, 8)): RateHistory => ({
  qps,
  stepMs: 60_000,
  endMs,
  calendar,
});

test.each([
  { name: "a season ago", qps: [9, 1, 2, 3], steps: 2, period: 3, expected: [1, 2] },
  { name: "longer than a season", qps: [1, 2], steps: 3, period: 2, expected: [1, 2, 1] },
  { name: "too short", qps: [1, 2], steps: 1, period: 3, expected: null },
  { name: "nothing", qps: [], steps: 1, period: 1, expected: null },
  { name: "no season", qps: [1], steps: 1, period: 0, expected: null },
])("seasonal naive: $name", ({ qps, steps, period, expected }) => {
  expect(seasonalNaive(qps, steps, period)).toEqual(expected as never);
});

describe("Holt-Winters", () => {
  test("by hand", () => {
    // Start: level 2, shape [-1, 1], slope 0.
    // 3: level 0.5·(3+1) + 0.5·2 = 3, slope 0.5·1 = 0.5, shape[0] 0.5·(3-3) + 0.5·-1 = -0.5
    // 5: level 0.5·(5-1) + 0.5·3.5 = 3.75, slope 0.5·0.75 + 0.25 = 0.625, shape[1] 0.5·1.25 + 0.5·1 = 1.125
    const weights = { level: 0.5, trend: 0.5, season: 0.5 };
    expect(holtWinters([1, 3, 3, 5], 2, 2, weights)).toEqual([3.75 + 0.625 - 0.5, 3.75 + 1.25 + 1.125]);
  });
  test.each([
    { name: "goes on with a perfect season", qps: [1, 5, 1, 5, 1, 5], expected: [1, 5, 1] },
    { name: "one season is too little", qps: [1, 5, 1], expected: null },
    { name: "nothing", qps: [], expected: null },
    { name: "silence", qps: [0, 0, 0, 0], expected: [0, 0, 0] },
    {
      name: "is never negative",
      qps: [9, 9, 0, 0, 0, 0],
      weights: { level: 1, trend: 1, season: 0 },
      expected: [0, 0, 0],
    },
  ])("$name", ({ qps, weights, expected }) => {
    const forecast = holtWinters(qps, 3, 2, weights);
    if (expected === null) expect(forecast).toBeNull();
    else for (const [step, value] of expected.entries()) expect(forecast![step]).toBeCloseTo(value, 9);
  });
  test("follows a jump of the level fast when that would have erred least", () => {
    const qps = Array.from({ length: 40 }, (_, index) => (index < 20 ? 10 : 100));
    expect(Math.abs(holtWinters(qps, 1, 2)![0]! - 100)).toBeLessThan(3);
  });
});

describe("ridge equations", () => {
  const solveRidge = (
    inputs: Float64Array,
    targets: Float64Array,
    columns: number,
    targetCount: number,
    lambda: number,
  ) => {
    const equations = createRidgeEquations(columns, targetCount);
    for (let row = 0; row < inputs.length / columns; row += 1) {
      equations.add(
        inputs.slice(row * columns, (row + 1) * columns),
        targets.slice(row * targetCount, (row + 1) * targetCount),
      );
    }
    return equations.solve(lambda);
  };
  test("one input and the constant, by hand", () => {
    // x = 1, 2, 3; y = 3, 5, 7; without λ it is 2x + 1.
    const inputs = new Float64Array([1, 1, 2, 1, 3, 1]);
    const targets = new Float64Array([3, 5, 7]);
    const [slope, constant] = solveRidge(inputs, targets, 2, 1, 1e-12);
    expect(slope).toBeCloseTo(2, 6);
    expect(constant).toBeCloseTo(1, 6);
    // λ = 2 on the slope alone: centred sums are Sxx = 2, Sxy = 4, so the slope is 4 / (2 + 2) = 1, the constant 5 - 1·2 = 3.
    const [held, moved] = solveRidge(inputs, targets, 2, 1, 2);
    expect(held).toBeCloseTo(1, 6);
    expect(moved).toBeCloseTo(3, 6);
  });
  test("several targets are solved each for itself", () => {
    const weights = solveRidge(new Float64Array([1, 1, 2, 1, 3, 1]), new Float64Array([3, 1, 5, 1, 7, 1]), 2, 2, 1e-12);
    for (const [index, value] of [2, 0, 1, 1].entries()) expect(weights[index]).toBeCloseTo(value, 6);
  });
  test("no rows give zeros", () => {
    expect([...solveRidge(new Float64Array(0), new Float64Array(0), 2, 1, 1)]).toEqual([0, 0]);
  });
});

describe.each([
  { name: "ridge", normalised: false },
  { name: "ridge+", normalised: true },
])("$name", (shape) => {
  const wave = (length: number, from = 0) =>
    Array.from({ length }, (_, minute) => 100 + 50 * Math.sin((2 * Math.PI * (minute + from)) / 40));

  test("learns a wave that no average can follow", () => {
    const forecast = createRidgeModel(shape).forecast(history(wave(900)), 15)!;
    for (const [step, value] of wave(15, 900).entries()) expect(Math.abs(forecast[step]! - value)).toBeLessThan(5);
  });
  test.each([
    { name: "nothing", qps: [], expected: null },
    { name: "an hour", qps: wave(60), expected: null },
    { name: "just too little", qps: wave(60 + 15 + 238), expected: null },
    { name: "silence", qps: new Array(900).fill(0), expected: null },
  ])("$name is too little", ({ qps, expected }) => {
    expect(createRidgeModel(shape).forecast(history(qps), 15)).toBe(expected);
  });
  test("is never negative and always a number, silence and bursts included", () => {
    const random = seededRandom(5);
    const model = createRidgeModel(shape);
    const qps = Array.from({ length: 3_200 }, () => (random() < 0.02 ? 1_000 * random() : 0));
    for (let length = 3_000; length <= 3_200; length += 7) {
      const forecast = model.forecast(history(qps.slice(0, length), length * 60_000), 15)!;
      expect(forecast).toHaveLength(15);
      expect(forecast.every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
    }
  });
  const endMs = Date.UTC(2026, 0, 8);
  const flat = new Array<number>(900).fill(7);
  const minutesLater = (minutes: number) => history(flat, endMs + minutes * 60_000);

  test("forecasts learn again when 90 steps have passed, not before", () => {
    const model = createRidgeModel(shape);
    model.forecast(history(wave(900), endMs), 15);
    const before = model.forecast(minutesLater(89), 15)!;
    const after = model.forecast(minutesLater(90), 15)!;
    expect(after[14]).toBeCloseTo(7, 1);
    expect(before).not.toEqual(after);
  });

  test("learning between forecasts starts at 60 steps, in slices, and forecasts continue meanwhile", () => {
    const model = createRidgeModel(shape);
    const slices = (minutes: number) => [...model.learn!(minutesLater(minutes), 15)].length;
    model.forecast(history(wave(900), endMs), 15);
    const idle = createRidgeModel(shape);
    idle.forecast(history(wave(900), endMs), 15);
    const old = idle.forecast(minutesLater(60), 15)!;
    expect(slices(59)).toBe(0);
    const learning = model.learn!(minutesLater(60), 15);
    learning.next();
    expect(model.forecast(minutesLater(60), 15)).toEqual(old);
    for (const _ of learning) expect(model.forecast(minutesLater(60), 15)).toEqual(old);
    expect(model.forecast(minutesLater(60), 15)![14]).toBeCloseTo(7, 1);
    expect(slices(61)).toBe(0);
    expect(slices(120)).toBeGreaterThan(2);
  });
});

test("ridge+ takes yesterday into account: a daily spike is seen coming", () => {
  const qps = Array.from({ length: 5 * 1440 }, (_, minute) => (minute % 1440 >= 720 && minute % 1440 < 735 ? 100 : 10));
  const known = qps.slice(0, 4 * 1440 + 720);
  const forecast = createRidgeModel({ name: "ridge+", normalised: true }).forecast(history(known), 15)!;
  expect(Math.max(...forecast)).toBeGreaterThan(50);
});

test("every simple model answers once the record is long enough, and none without one", () => {
  const models = createSimpleModels();
  expect(new Set(models.map(({ name }) => name)).size).toBe(models.length);
  const qps = Array.from({ length: 2_900 }, (_, minute) => 10 + (minute % 60));
  for (const model of models) {
    expect(model.forecast(history([]), 15)).toBeNull();
    expect(model.forecast(history(qps), 15)).toHaveLength(15);
  }
});
