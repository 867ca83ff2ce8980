import { describe, expect, test } from "bun:test";
import { createForecastScores } from "#forecast/blend/score-forecasts.ts";
import { minuteMs } from "#platform/time.ts";

describe("forecast scores", () => {
  const made = (endMs: number, forecast: number[]) => ({
    endMs,
    lastValueQps: 5,
    byModel: new Map([["m", forecast]]),
  });
  test("by hand; a forecast counts when its last step has ended, once", () => {
    const scores = createForecastScores(minuteMs);
    scores.add(made(0, [4, 7]));
    scores.add(made(0, [100, 100]));
    const rateAt = (startMs: number) => (startMs === 0 ? 6 : 10);
    scores.settle(minuteMs, rateAt);
    expect(scores.scores()).toEqual([]);
    scores.settle(2 * minuteMs, rateAt);
    scores.settle(3 * minuteMs, rateAt);
    expect(scores.scores()).toEqual([{ name: "m", forecasts: 1, absoluteError: 5, lastValueError: 6, actual: 16 }]);
  });
  test("newer comparisons weigh more", () => {
    const scores = createForecastScores(minuteMs);
    for (let minute = 0; minute < 361; minute += 1) {
      scores.add(made(minute * minuteMs, [minute === 0 ? 2 : 1]));
      scores.settle((minute + 1) * minuteMs, () => 1);
    }
    expect(scores.scores()[0]!.absoluteError).toBeCloseTo(0.5, 9);
    expect(scores.scores()[0]!.forecasts).toBe(361);
  });
  test("steps that nobody counted are left out", () => {
    const scores = createForecastScores(minuteMs);
    scores.add(made(0, [4, 7]));
    scores.add(made(minuteMs, [4]));
    scores.settle(2 * minuteMs, (startMs) => (startMs === 0 ? 6 : null));
    expect(scores.scores()).toEqual([{ name: "m", forecasts: 1, absoluteError: 2, lastValueError: 1, actual: 6 }]);
  });
  test("a model that is forgotten starts anew, and what it said of times to come counts no more", () => {
    const scores = createForecastScores(minuteMs);
    const byModel = new Map([
      ["m", [4]],
      ["other", [5]],
    ]);
    for (const minute of [0, 1, 2]) scores.add({ endMs: minute * minuteMs, lastValueQps: 5, byModel });
    scores.settle(minuteMs, () => 6);
    scores.forget("m");
    scores.forget("nobody");
    scores.settle(2 * minuteMs, () => 6);
    expect(scores.scores().map(({ name, forecasts }) => [name, forecasts])).toEqual([["other", 2]]);
    scores.add({ endMs: 3 * minuteMs, lastValueQps: 5, byModel });
    scores.settle(4 * minuteMs, () => 6);
    expect(scores.scores()).toContainEqual(expect.objectContaining({ name: "m", forecasts: 1, absoluteError: 2 }));
  });
  test("what never comes due does not pile up", () => {
    const scores = createForecastScores(minuteMs);
    for (let minute = 0; minute < 100; minute += 1) scores.add(made(minute * minuteMs, [1]));
    scores.settle(1_000 * minuteMs, () => 1);
    expect(scores.scores()[0]!.forecasts).toBe(64);
  });
});
