import { describe, expect, test } from "bun:test";
import { PathBlend } from "#forecast/blend/path-blend.ts";
import { minuteMs } from "#platform/time.ts";

const steps = 2;

/** Runs a blend of constant paths over actual rates, one forecast a minute, and returns the last one. */
function run(minutes: number, paths: Readonly<Record<string, number>>, rateAt: (minute: number) => number | null) {
  const blend = new PathBlend(minuteMs, steps);
  const byModel = new Map(Object.entries(paths).map(([name, rate]) => [name, [rate, rate]]));
  const forecast = (minute: number, started = true) => {
    blend.settle(minute * minuteMs, (startMs) => rateAt(startMs / minuteMs));
    return blend.forecast(minute * minuteMs, byModel, [...byModel.keys()], "starter", started);
  };
  for (let minute = 0; minute < minutes; minute += 1) forecast(minute);
  return { blend, byModel, forecast };
}

describe("a path blend", () => {
  test("serves the starter alone until errors are known, then the model that errs less", () => {
    const { forecast } = run(11, { starter: 20, good: 10 }, () => 10);
    // 10 comparisons of two steps each are over at minute 11.
    expect(forecast(11)?.shares).toEqual(new Map([["good", 1]]));
    const early = run(10, { starter: 20, good: 10 }, () => 10).forecast(10);
    expect(early?.shares).toEqual(new Map([["starter", 1]]));
    expect(early?.qps).toEqual([20, 20]);
  });

  test("gives nothing before it is started, but learns from the starter's path that is served", () => {
    const blend = new PathBlend(minuteMs, steps);
    const byModel = new Map([
      ["starter", [10, 10]],
      ["good", [30, 30]],
    ]);
    for (let minute = 0; minute < 130; minute += 1) {
      blend.settle(minute * minuteMs, () => 30);
      expect(blend.forecast(minute * minuteMs, byModel, ["starter", "good"], "starter", false)).toBeNull();
    }
    // Ratios of 3 were learnt from the starter's path. No average was served, so its factor is still one.
    const started = blend.forecast(130 * minuteMs, byModel, ["starter", "good"], "starter", true);
    expect(started?.shares).toEqual(new Map([["good", 1]]));
    expect(started).toMatchObject({ qps: [30, 30], qps90: [90, 90], qps95: [90, 90] });
    expect(new PathBlend(minuteMs, steps).forecast(0, new Map(), [], "starter", true)).toBeNull();
  });

  test("each step has its own bounds, the quantiles 0.9 and 0.95 of its ratios", () => {
    const blend = new PathBlend(minuteMs, steps);
    const byModel = new Map([["starter", [10, 20]]]);
    // One forecast every two minutes: its first step comes to 10 times 1 … 39, its second to twice as much.
    for (let index = 0; index <= 39; index += 1) {
      blend.settle(2 * index * minuteMs, (startMs) => {
        const minute = startMs / minuteMs;
        return 10 * (1 + Math.floor(minute / 2)) * (minute % 2 === 0 ? 1 : 4);
      });
      blend.forecast(2 * index * minuteMs, byModel, ["starter"], "starter", false);
    }
    const { qps90, qps95 } = blend.forecast(1e9, byModel, ["starter"], "starter", true) ?? { qps90: [], qps95: [] };
    expect(qps90).toEqual([360, 1_440]);
    expect(qps95).toEqual([380, 1_520]);
  });

  test("losses are summed over the steps", () => {
    const blend = new PathBlend(minuteMs, steps);
    // Both err by 10 in one step; only one errs in the other too.
    const byModel = new Map([
      ["starter", [20, 20]],
      ["good", [20, 10]],
      ["good too", [10, 20]],
    ]);
    for (let minute = 0; minute < 60; minute += 1) {
      blend.settle(minute * minuteMs, () => 10);
      blend.forecast(minute * minuteMs, byModel, [...byModel.keys()], "starter", true);
    }
    const { shares } = blend.forecast(60 * minuteMs, byModel, [...byModel.keys()], "starter", true) ?? {};
    expect(shares?.get("good")).toBeCloseTo(0.5, 9);
    expect(shares?.get("good too")).toBeCloseTo(0.5, 9);
  });

  test("paths whose time never comes are dropped: twice as many as a path has steps are kept", () => {
    const blend = new PathBlend(minuteMs, steps);
    const byModel = new Map([
      ["starter", [20, 20]],
      ["good", [10, 10]],
    ]);
    const forecast = (minute: number) =>
      blend.forecast(minute * minuteMs, byModel, [...byModel.keys()], "starter", true);
    for (let minute = 100; minute < 110; minute += 1) forecast(minute);
    blend.settle(50 * minuteMs, () => 10);
    blend.settle(200 * minuteMs, () => 10);
    for (let minute = 300; minute < 305; minute += 1) forecast(minute);
    blend.settle(400 * minuteMs, () => 10);
    expect(forecast(400)?.shares).toEqual(new Map([["starter", 1]])); // 4 + 5 comparisons
    blend.settle(500 * minuteMs, () => 10);
    expect(forecast(500)?.shares).toEqual(new Map([["good", 1]]));
  });

  test("bounds are the assumed ratios at first, then those of the newest paths, never below the path", () => {
    const first = run(0, { starter: 10 }, () => 10).forecast(0);
    expect(first).toMatchObject({ qps90: [14, 14], qps95: [16, 16] });
    const steady = run(40, { starter: 10 }, () => 20).forecast(40);
    expect(steady).toMatchObject({ qps90: [20, 20], qps95: [20, 20] });
    const high = run(40, { starter: 10 }, () => 5).forecast(40);
    expect(high).toMatchObject({ qps90: [10, 10], qps95: [10, 10] });
  });

  test("turns the mean into a median once a hundred paths are known", () => {
    const always20 = run(130, { starter: 10 }, () => 20).forecast(130);
    expect(always20?.qps[0]).toBeCloseTo(1.8 * 10, 4); // 80 % of the way from 10 to 20
  });

  test("averages by shares", () => {
    const { forecast } = run(60, { starter: 9, other: 11 }, () => 10);
    const { shares, qps } = forecast(60) ?? { shares: new Map<string, number>(), qps: [] };
    expect(shares.get("starter")).toBeCloseTo(0.5, 9);
    expect(qps[0]).toBeCloseTo(10, 9);
  });

  test("only available models have a share, and ridge+ starts with twice the trust", () => {
    const { blend, byModel } = run(60, { starter: 10, other: 10, "ridge+": 10 }, () => 10);
    const shares = (...available: string[]) =>
      blend.forecast(60 * minuteMs, byModel, available, "starter", true)?.shares;
    expect(shares("other")).toEqual(new Map([["other", 1]]));
    expect(shares("other", "ridge+")?.get("ridge+")).toBeCloseTo(2 / 3, 9);
  });

  test("steps that were not counted teach nothing", () => {
    const { forecast } = run(60, { starter: 20, good: 10 }, () => null);
    expect(forecast(60)?.shares).toEqual(new Map([["starter", 1]]));
    expect(forecast(61)?.qps90).toEqual([28, 28]);
  });

  test("a second forecast for the same minute is not compared", () => {
    const { blend, byModel, forecast } = run(60, { starter: 20, good: 10 }, () => 10);
    forecast(60);
    const wrong = new Map([...byModel].map(([name]) => [name, [name === "good" ? 1_000 : 10, 10]]));
    blend.forecast(60 * minuteMs, wrong, ["starter"], "starter", true);
    for (const minute of [61, 62, 63]) forecast(minute);
    expect(forecast(64)?.shares.get("good")).toBeCloseTo(1, 9);
  });

  test("restored errors count at once; forgotten ones don't, nor do pending paths", () => {
    const byModel = new Map([
      ["starter", [20, 20]],
      ["good", [10, 10]],
    ]);
    const blend = new PathBlend(minuteMs, steps);
    const score = (name: string, absoluteError: number) => ({
      name,
      forecasts: 500,
      absoluteError,
      lastValueError: 100,
      actual: 1_000,
    });
    blend.restore([score("starter", 150), score("good", 50)]);
    const shares = () => blend.forecast(0, byModel, ["starter", "good"], "starter", true)?.shares;
    expect(shares()).toEqual(new Map([["good", 1]]));
    blend.forget("good");
    expect(shares()).toEqual(new Map([["starter", 1]]));
    for (let minute = 1; minute <= 11; minute += 1) {
      blend.settle(minute * minuteMs, () => 10);
      blend.forecast(minute * minuteMs, byModel, ["starter", "good"], "starter", true);
    }
    // 9 comparisons since it was forgotten; the path pending at that time is not among them.
    expect(shares()?.get("good")).toBeUndefined();
    blend.settle(12 * minuteMs, () => 10);
    expect(shares()?.get("good")).toBe(1);
  });
});
