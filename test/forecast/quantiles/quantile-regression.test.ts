import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { createQuantileRegression } from "#forecast/quantiles/quantile-regression.ts";
import { prepareHistory, statisticsCount, writeStatistics } from "#forecast/quantiles/rate-statistics.ts";
import { createPeakRidge, recentPeak } from "#forecast/simple/recent-peak-models.ts";
import { dayMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const stepMs = 60_000;
const startMs = Date.UTC(2026, 0, 5);
const historyOf = (qps: readonly number[]) => ({ qps, stepMs, endMs: startMs + qps.length * stepMs, calendar });
const random = seededRandom(2);
/** Uniform between 80 and 120: the highest of 15 has the quantile q at 80 + 40 · q^(1/15). */
const uniform = Array.from({ length: 1_500 }, () => 80 + 40 * random());
const shape = { name: "test", inputs: "core", memoryMs: 14 * dayMs } as const;

function learnt(qps: readonly number[], inputs: "core" | "all" = "core") {
  const regression = createQuantileRegression({ ...shape, inputs });
  for (const _ of regression.learn(historyOf(qps), 15)) {
    // to the end
  }
  return regression;
}

test.each(["core", "all"] as const)("the quantiles of the highest of 15, %s inputs", (inputs) => {
  const forecast = learnt(uniform, inputs).forecast(historyOf(uniform), 15)!;
  const expected = [0.5, 0.9, 0.95].map((quantile) => 80 + 40 * quantile ** (1 / 15));
  for (const [which, value] of expected.entries()) expect(Math.abs(forecast[which]! - value)).toBeLessThan(4);
});

test.each([1e-3, 1e5])("any scale of traffic: %p", (scale) => {
  const scaled = uniform.map((rate) => rate * scale);
  const forecast = learnt(scaled).forecast(historyOf(scaled), 15)!;
  const plain = learnt(uniform).forecast(historyOf(uniform), 15)!;
  // The noise of counting is another one at another scale: nearly the same, not the same.
  for (const [which, value] of plain.entries()) expect(forecast[which]! / scale / value).toBeCloseTo(1, 1);
});

test("gives nothing before it has learnt, from too little record, and for other steps", () => {
  const regression = createQuantileRegression(shape);
  expect(regression.forecast(historyOf(uniform), 15)).toBeNull();
  expect(learnt(uniform.slice(0, 150)).forecast(historyOf(uniform), 15)).toBeNull();
  expect(learnt(uniform).forecast(historyOf(uniform), 10)).toBeNull();
  expect(learnt(new Array(600).fill(0)).forecast(historyOf(new Array(600).fill(0)), 15)).toBeNull();
});

test("silence after traffic is silence", () => {
  const silent = [...uniform, ...new Array<number>(60).fill(0)];
  expect(learnt(uniform).forecast(historyOf(silent), 15)).toEqual([0, 0, 0]);
});

test("learns in slices, and again only when the record has grown", () => {
  const regression = createQuantileRegression(shape);
  expect([...regression.learn(historyOf(uniform), 15)].length).toBeGreaterThan(20);
  expect([...regression.learn(historyOf(uniform), 15)]).toEqual([]);
  const longer = [...uniform, ...uniform];
  expect([...regression.learn(historyOf(longer), 15)].length).toBeGreaterThan(0);
});

test("statistics look back only", () => {
  const origin = 700;
  const write = (qps: readonly number[]) => {
    const target = new Float64Array(statisticsCount);
    writeStatistics(target, prepareHistory(historyOf(qps), 15), origin, 100);
    return target;
  };
  const changed = uniform.map((rate, index) => (index < origin ? rate : 9 * rate));
  expect(write(changed)).toEqual(write(uniform));
  expect(write(uniform).every(Number.isFinite)).toBe(true);
});

test("the highest of the last steps comes again", () => {
  expect(recentPeak.forecast(historyOf([9, 1, 4, 2]), 3)).toEqual([4, 4, 4]);
  expect(recentPeak.forecast(historyOf([1]), 3)).toBeNull();
});

test("ridge on the peak says the mean of the highest of 15 for every step; too little or silence: nothing", () => {
  const forecast = createPeakRidge().forecast(historyOf(uniform), 15)!;
  expect(forecast).toHaveLength(15);
  expect(Math.abs(forecast[0]! - (80 + 40 * (15 / 16)))).toBeLessThan(2);
  expect(createPeakRidge().forecast(historyOf(uniform.slice(0, 200)), 15)).toBeNull();
  expect(createPeakRidge().forecast(historyOf(new Array(400).fill(0)), 15)).toBeNull();
});
