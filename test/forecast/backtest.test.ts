import { describe, expect, test } from "bun:test";
import { backtest } from "#forecast/backtest.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { conformalFactor, coverage, pinballLoss } from "#forecast/judge/quantile-measures.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

test.each([
  { name: "median: half the absolute error", actual: [1, 5], forecast: [3, 4], quantile: 0.5, expected: 0.75 },
  { name: "too little costs the quantile", actual: [10], forecast: [8], quantile: 0.9, expected: 1.8 },
  { name: "too much costs the rest", actual: [8], forecast: [10], quantile: 0.9, expected: 0.2 },
  { name: "exact", actual: [3], forecast: [3], quantile: 0.95, expected: 0 },
])("pinball loss, $name", ({ actual, forecast, quantile, expected }) => {
  expect(pinballLoss([...actual], [...forecast], quantile)).toBeCloseTo(expected, 12);
});

test.each([
  { name: "exceeded once of four", actual: [1, 2, 3, 9], forecast: [1, 3, 4, 8], expected: 0.75 },
  { name: "never", actual: [0], forecast: [0], expected: 1 },
])("coverage: $name", ({ actual, forecast, expected }) => {
  expect(coverage([...actual], [...forecast])).toBe(expected);
});

test.each([
  // ratios 0.5, 1, 1.5, 2; rank ⌈5 · 0.5⌉ = 3
  { name: "median of four", actual: [1, 2, 3, 4], forecast: [2, 2, 2, 2], quantile: 0.5, expected: 1.5 },
  { name: "more than four can tell", actual: [1, 2, 3, 4], forecast: [2, 2, 2, 2], quantile: 0.95, expected: 2 },
  { name: "one", actual: [3], forecast: [2], quantile: 0.5, expected: 1.5 },
  { name: "forecasts of zero are left out", actual: [3, 3], forecast: [0, 2], quantile: 0.9, expected: 1.5 },
  { name: "zero of zero", actual: [0], forecast: [0], quantile: 0.9, expected: 1 },
  { name: "nothing", actual: [], forecast: [], quantile: 0.9, expected: 1 },
])("conformal factor: $name", ({ actual, forecast, quantile, expected }) => {
  expect(conformalFactor([...actual], [...forecast], quantile)).toBe(expected);
});

describe("backtest", () => {
  const calendar = createCalendar("UTC", []);
  const startMs = Date.UTC(2026, 0, 5);
  const options = { stepMs: 60_000, steps: 15, maxOrigins: 100, network: null };
  const random = seededRandom(1);
  const noisy = Array.from({ length: 3_000 }, () => 90 + 20 * random());

  test("on noise around a level: averages win, quantiles cover what they say, models without record are left out", () => {
    const result = backtest({ startMs, qps: noisy.slice(0, 2_000), calendar }, options);
    const row = (name: string) => result.rows.find(({ model }) => model === name)!;
    expect(result.leftOut).toEqual(["seasonal-naive", "holt-winters"]);
    expect(result.origins).toBeGreaterThan(90);
    expect(row("moving-average").path.mae).toBeLessThan(row("last-value").path.mae);
    expect(row("moving-average").coverage90).toBeGreaterThan(0.8);
    expect(row("moving-average").coverage95).toBeGreaterThan(0.88);
    // the highest of 15 uniform numbers from 90 to 110 lies near 109
    expect(row("moving-average").headroom95).toBeCloseTo(1.1, 1);
    expect(Math.max(...result.rows.filter(({ model }) => model !== "champion").map(({ skill }) => skill))).toBe(0);
    expect(row("champion").path.mae).toBeLessThan(row("last-value").path.mae);
    const shares = Object.values(result.championShares).reduce((sum, share) => sum + share, 0);
    expect(shares).toBeCloseTo(1, 9);
  });

  test("a network with foresight becomes champion and has skill; one that is wrong does not", () => {
    const series = { startMs, qps: noisy, calendar };
    const foresight = (_: unknown, origins: readonly number[]) =>
      origins.map((origin) => noisy.slice(origin, origin + 15));
    const won = backtest(series, { ...options, network: foresight });
    expect(won.championShares).toEqual({ lstm: 1 });
    expect(won.rows.find(({ model }) => model === "champion")!.skill).toBe(1);
    const wrong = (_: unknown, origins: readonly number[]) => origins.map(() => new Array<number>(15).fill(500));
    const lost = backtest(series, { ...options, network: wrong });
    expect(lost.championShares["lstm"]).toBeUndefined();
  });

  test("no forecast knows what comes after its origin", () => {
    const cut = 2_600;
    const doubled = noisy.map((rate, minute) => (minute < cut ? rate : 3 * rate));
    const seen: (readonly number[])[] = [];
    const network = (_: unknown, origins: readonly number[]) => {
      seen.push(origins);
      return origins.map(() => new Array<number>(15).fill(100));
    };
    const before = backtest({ startMs, qps: noisy, calendar }, { ...options, network });
    const after = backtest({ startMs, qps: doubled, calendar }, { ...options, network });
    expect(seen[0]).toEqual(seen[1]!);
    // What changes at the cut can't be foreseen: every simple model errs more.
    for (const { model, path } of after.rows) {
      expect(path.mae).toBeGreaterThan(before.rows.find((row) => row.model === model)!.path.mae);
    }
  });

  test.each([
    { name: "nothing", qps: [] },
    { name: "an hour", qps: new Array<number>(60).fill(1) },
    { name: "only gaps", qps: new Array<null>(3_000).fill(null) },
    { name: "only silence", qps: new Array<number>(3_000).fill(0) },
  ])("refuses $name", ({ qps }) => {
    expect(() => backtest({ startMs, qps, calendar }, options)).toThrow("too little traffic to judge");
  });
});
