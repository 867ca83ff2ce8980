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
  test("steps that were not counted are left out", () => {
    const scores = createForecastScores(minuteMs);
    scores.add(made(0, [4, 7]));
    scores.add(made(minuteMs, [4]));
    scores.settle(2 * minuteMs, (startMs) => (startMs === 0 ? 6 : null));
    expect(scores.scores()).toEqual([{ name: "m", forecasts: 1, absoluteError: 2, lastValueError: 1, actual: 6 }]);
  });
  test("a forgotten model starts anew, and its pending forecasts don't count", () => {
    const scores = createForecastScores(minuteMs);
    const byModel = new Map([
      ["m", [4]],
      ["other", [5]],
    ]);
    for (const minute of [0, 1, 2]) scores.add({ endMs: minute * minuteMs, lastValueQps: 5, byModel });
    scores.settle(minuteMs, () => 6);
    scores.forget("m");
    scores.forget("unknown");
    scores.settle(2 * minuteMs, () => 6);
    expect(scores.scores().map(({ name, forecasts }) => [name, forecasts])).toEqual([["other", 2]]);
    scores.add({ endMs: 3 * minuteMs, lastValueQps: 5, byModel });
    scores.settle(4 * minuteMs, () => 6);
    expect(scores.scores()).toContainEqual(expect.objectContaining({ name: "m", forecasts: 1, absoluteError: 2 }));
  });
  test("each step is compared with its own rate, and the last value with the same", () => {
    const scores = createForecastScores(minuteMs);
    scores.add(made(10 * minuteMs, [4, 7, 1]));
    scores.settle(13 * minuteMs, (stepMs) => stepMs / minuteMs);
    // 10, 11 and 12 came; the last value was 5
    expect(scores.scores()).toEqual([{ name: "m", forecasts: 1, absoluteError: 21, lastValueError: 18, actual: 33 }]);
  });
  test("all sums of the past weigh half after a half-life, none more when the clock was set back", () => {
    const scores = createForecastScores(minuteMs, 100 * minuteMs);
    const at = (minute: number) => {
      scores.add(made(minute * minuteMs, [4]));
      scores.settle((minute + 1) * minuteMs, () => 10);
      const { forecasts: _, ...sums } = scores.scores()[0]!;
      return sums;
    };
    expect(at(200)).toEqual({ name: "m", absoluteError: 6, lastValueError: 5, actual: 10 });
    expect(at(300)).toEqual({ name: "m", absoluteError: 9, lastValueError: 7.5, actual: 15 });
    expect(at(100)).toEqual({ name: "m", absoluteError: 15, lastValueError: 12.5, actual: 25 });
  });
  test("an earlier run's scores are taken over, but for models that have one already", () => {
    const scores = createForecastScores(minuteMs);
    scores.add(made(0, [4]));
    scores.settle(minuteMs, () => 6);
    const own = scores.scores()[0]!;
    const earlier = { name: "other", forecasts: 9, absoluteError: 1, lastValueError: 2, actual: 3 };
    scores.restore([{ ...earlier, name: "m" }, earlier]);
    expect(scores.scores()).toEqual([own, earlier]);
  });
  test("what was taken over counts in full beside the first comparison, however late it comes", () => {
    const scores = createForecastScores(minuteMs);
    scores.restore([{ name: "m", forecasts: 9, absoluteError: 1, lastValueError: 2, actual: 3 }]);
    scores.add(made(1e9, [4]));
    scores.settle(2e9, () => 6);
    expect(scores.scores()).toEqual([{ name: "m", forecasts: 10, absoluteError: 3, lastValueError: 3, actual: 9 }]);
  });
  test("what never comes due is dropped, the oldest first", () => {
    const scores = createForecastScores(minuteMs);
    for (let minute = 0; minute < 65; minute += 1) scores.add(made(minute * minuteMs, [1]));
    scores.settle(1_000 * minuteMs, (stepMs) => (stepMs === 0 ? null : 1));
    expect(scores.scores()[0]!.forecasts).toBe(64);
  });
  test("what never comes due does not pile up", () => {
    const scores = createForecastScores(minuteMs);
    for (let minute = 0; minute < 100; minute += 1) scores.add(made(minute * minuteMs, [1]));
    scores.settle(1_000 * minuteMs, () => 1);
    expect(scores.scores()[0]!.forecasts).toBe(64);
  });
});
