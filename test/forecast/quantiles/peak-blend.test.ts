import { expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { PeakBlend } from "#forecast/quantiles/peak-blend.ts";
import { inOrder, type PeakQuantiles, peakLoss } from "#forecast/quantiles/peak-quantiles.ts";
import { createRecentRatios } from "#forecast/quantiles/recent-ratios.ts";
import { minuteMs } from "#platform/time.ts";

const horizonMs = 15 * minuteMs;

test.each([
  { name: "sorted, none negative", values: [3, -1, 2], expected: [0, 2, 3] },
  { name: "as they are", values: [1, 2, 3], expected: [1, 2, 3] },
])("quantiles $name", ({ values, expected }) => {
  expect(inOrder(values)).toEqual(expected as never);
});

test("pinball loss of three quantiles by hand", () => {
  // above the median by 2 (0.5 · 2), below the others by 1 and 3 (0.1 · 1, 0.05 · 3)
  expect(peakLoss(10, [8, 11, 13])).toBeCloseTo((1 + 0.1 + 0.15) / 3, 12);
});

test("ratios: assumed until twenty are known, then ranks of the newest day", () => {
  const ratios = createRecentRatios([0.5, 0.9], [1, 2]);
  for (let index = 0; index < 19; index += 1) ratios.observe(index * minuteMs, 10, 10 + index);
  expect(ratios.ready()).toBe(false);
  expect(ratios.factors(20 * minuteMs)).toEqual([1, 2]);
  ratios.observe(19 * minuteMs, 0, 5); // tells nothing
  ratios.observe(19 * minuteMs, 10, 29);
  expect(ratios.ready()).toBe(true);
  // 20 ratios 1, 1.1 … 2.9: ranks ⌈21 · 0.5⌉ = 11 and ⌈21 · 0.9⌉ = 19
  expect(ratios.factors(20 * minuteMs).map((factor) => Number(factor.toFixed(6)))).toEqual([2, 2.8]);
  const dayMs = 86_400_000;
  for (let index = 0; index < 150; index += 1) ratios.observe(2 * dayMs + index, 10, 5);
  expect(ratios.factors(2 * dayMs + minuteMs)).toEqual([0.5, 0.5]);
});

/** Feeds a blend uniform peaks between 0 and 100. */
function run(rounds: number, said: (peak: number) => ReadonlyMap<string, PeakQuantiles>, drift = 0) {
  const blend = new PeakBlend(horizonMs);
  const random = seededRandom(9);
  const peaks = new Map<number, number>();
  let covered = 0;
  let last = blend.forecast(0, new Map([["last-value", 50]]), said(50));
  for (let index = 1; index <= rounds; index += 1) {
    const endMs = index * horizonMs;
    const peak = 100 * random() + drift * index;
    peaks.set(endMs, peak);
    blend.settle(endMs, (fromMs) => peaks.get(fromMs) ?? null);
    last = blend.forecast(endMs, new Map([["last-value", 50]]), said(peak));
    if (peak <= last.quantiles[2]) covered += 1;
  }
  return { last, coverage: covered / rounds };
}

test("a forgotten forecaster has no share until it was compared anew; its pending forecasts don't count", () => {
  const blend = new PeakBlend(horizonMs);
  const said = new Map([["wise", [50, 90, 95] as const]]);
  const random = seededRandom(9);
  const at = (index: number) => {
    blend.settle(index * horizonMs, () => 100 * random());
    return blend.forecast(index * horizonMs, new Map([["last-value", 50]]), said).shares.get("wise") ?? 0;
  };
  for (let index = 0; index < 200; index += 1) at(index);
  expect(at(200)).toBeGreaterThan(0);
  blend.forget(["wise"]);
  const after = Array.from({ length: 30 }, (_, index) => at(201 + index));
  expect(after.findIndex((share) => share > 0)).toBe(10);
});

test("the forecaster that knows the quantiles gets the share, and they cover their nominal part", () => {
  const { last, coverage } = run(
    1_500,
    () =>
      new Map([
        ["wise", [50, 90, 95] as const],
        ["foolish", [5, 6, 7] as const],
      ]),
  );
  expect(last.shares.get("wise")).toBeGreaterThan(0.3);
  expect(last.shares.has("foolish")).toBe(false);
  expect(coverage).toBeGreaterThan(0.93);
  expect(coverage).toBeLessThan(0.97);
});

test("a forecaster with foresight has the whole share as soon as enough is known", () => {
  const { last } = run(40, (peak) => new Map([["seer", [peak, peak, peak] as const]]));
  expect([...last.shares.keys()].sort()).toEqual(["seer"]);
});

test("a bound that claims too much is moved to where it is exceeded once in twenty times", () => {
  const { last, coverage } = run(4_000, () => new Map([["bold", [40, 60, 70] as const]]));
  expect(coverage).toBeGreaterThan(0.9);
  expect(last.quantiles[2]).toBeGreaterThan(85);
});

test("peaks are forecast in every minute from the first on, also while only some are known well enough to be compared", () => {
  const blend = new PeakBlend(horizonMs);
  const said = new Map([["quantiles", [50, 90, 95] as const]]);
  for (let index = 0; index < 60; index += 1) {
    blend.settle(index * horizonMs, () => 60);
    const { quantiles, shares } = blend.forecast(index * horizonMs, new Map([["last-value", 50]]), said);
    expect(quantiles[0]).toBeGreaterThan(40);
    expect([...shares.values()].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
  }
});

test("before anything is known quantiles count more than the ratios of a point", () => {
  const points = new Map([["last-value", 10]]);
  const { shares } = new PeakBlend(horizonMs).forecast(0, points, new Map([["quantiles", [5, 6, 7] as const]]));
  expect([...shares]).toEqual([
    ["quantiles", 8 / 9],
    ["last-value", 1 / 9],
  ]);
});

test("a time in which not all was counted teaches nothing", () => {
  const blend = new PeakBlend(horizonMs);
  for (let index = 0; index < 60; index += 1) {
    blend.settle(index * horizonMs, () => null);
    blend.forecast(index * horizonMs, new Map([["last-value", 10]]), new Map());
  }
  expect(blend.forecast(1e9, new Map([["last-value", 10]]), new Map()).quantiles.map((q) => q.toFixed(6))).toEqual([
    "11.000000",
    "14.000000",
    "16.000000",
  ]);
});

test("the trust in each forecaster before anything is known", () => {
  const names = ["quantiles", "hour quantiles", "new quantiles", "lstm quantiles"];
  const quantiles = new Map(names.map((name) => [name, [5, 6, 7] as const]));
  const points = new Map([
    ["ridge+", 10],
    ["lstm", 10],
  ]);
  expect(Object.fromEntries(new PeakBlend(horizonMs).forecast(0, points, quantiles).shares)).toEqual({
    quantiles: 8 / 25,
    "hour quantiles": 4 / 25,
    "new quantiles": 4 / 25,
    "lstm quantiles": 4 / 25,
    "ridge+": 4 / 25,
    lstm: 1 / 25,
  });
});

test("a forecast is learnt from once its time is over, not before", () => {
  const blend = new PeakBlend(horizonMs);
  const points = new Map([["last-value", 10]]);
  const asked: number[] = [];
  for (let index = 0; index < 20; index += 1) blend.forecast(index, points, new Map());
  const settle = (nowMs: number) =>
    blend.settle(nowMs, (endMs) => {
      asked.push(endMs);
      return 30;
    });
  settle(horizonMs - 1);
  expect(asked).toEqual([]);
  settle(horizonMs);
  expect(asked).toEqual([0]);
  settle(horizonMs + 19);
  expect(asked).toHaveLength(20);
  // All ratios are 3.
  expect(blend.forecast(horizonMs + 20, points, new Map()).quantiles).toEqual([30, 30, 30]);
});

test("bounds move by a hundredth of their spread for each miss and hit", () => {
  const blend = new PeakBlend(1);
  const quantiles = new Map([["quantiles", [0, 90, 100] as const]]);
  const after = (peaks: readonly number[], fromMs: number) => {
    let last = blend.forecast(fromMs, new Map(), quantiles);
    for (const [index, peak] of peaks.entries()) {
      blend.settle(fromMs + index + 1, () => peak);
      last = blend.forecast(fromMs + index + 1, new Map(), quantiles);
    }
    return last.quantiles;
  };
  // Exceeded once: up by 0.01 times 0.5, 0.9 and 0.95 of the spread of 100.
  const [median, upper90, upper95] = after([1_000], 0);
  expect([median, upper90, upper95].map((value) => Number(value.toFixed(9)))).toEqual([0.5, 90.9, 100.95]);
  // Held twice, as the last forecast is compared too: down by 0.01 times 0.5, 0.1 and 0.05 each.
  expect(after([0.1], 100).map((value) => Number(value.toFixed(9)))).toEqual([0, 90.7, 100.85]);
});
