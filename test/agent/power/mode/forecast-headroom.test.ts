import { describe, expect, test } from "bun:test";
import { createForecastHeadroom } from "#agent/power/mode/forecast-headroom.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";

const forecastAt = (minute: number, qps: number[], offsetMs = 0): ForecastReport => ({
  madeAtMs: minute * minuteMs + offsetMs,
  model: "test",
  reason: "",
  stepMs: minuteMs,
  qps,
});

/** Chance without Math.random: the same in every run. */
function chance(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe("head-room above the forecast", () => {
  test("assumed until 30 forecasts have come true", () => {
    const headroom = createForecastHeadroom();
    for (let minute = 0; minute < 31; minute += 1) {
      headroom.note(forecastAt(minute, [100, 100, 100]));
      headroom.observe(minute * minuteMs, 100);
    }
    expect(headroom.upperQps(forecastAt(33, [100, 80, 60]), 0.9)).toBe(150);
    for (let minute = 31; minute < 40; minute += 1) {
      headroom.note(forecastAt(minute, [100, 100, 100]));
      headroom.observe(minute * minuteMs, 100);
    }
    expect(headroom.upperQps(forecastAt(40, [100, 80, 60]), 0.9)).toBe(100);
  });

  test("a forecast's own 0.95 quantile of the peak is the bound at once, and moves to the quantile that is asked for", () => {
    const headroom = createForecastHeadroom();
    const withPeak = (minute: number): ForecastReport => ({
      ...forecastAt(minute, [100, 100, 100]),
      peakQps: { q50: 110, q90: 140, q95: 144 },
    });
    expect(headroom.upperQps(withPeak(0), 0.5)).toBe(144);
    for (let minute = 0; minute < 60; minute += 1) {
      headroom.note(withPeak(minute));
      headroom.observe(minute * minuteMs, 121);
    }
    // Half of the peaks lie at or below 121.
    expect(headroom.upperQps(withPeak(60), 0.5)).toBeCloseTo(121, 9);
  });

  test.each([
    ["by day", 200],
    ["by night", 4],
  ])("covers the share of peaks that is asked for, %s", (_, level) => {
    const random = chance(7);
    const headroom = createForecastHeadroom();
    let covered = 0;
    let judged = 0;
    const bounds: { minute: number; upper: number }[] = [];
    const rates: number[] = [];
    for (let minute = 0; minute < 3000; minute += 1) {
      const forecast = forecastAt(minute, [level, level, level]);
      headroom.note(forecast);
      if (minute > 200) bounds.push({ minute, upper: headroom.upperQps(forecast, 0.9) });
      // Noise that grows with the root of the level, as counts have it.
      const rate = Math.max(0, level + Math.sqrt(level) * (random() + random() + random() - 1.5));
      rates.push(rate);
      headroom.observe(minute * minuteMs, rate);
    }
    for (const { minute, upper } of bounds) {
      const came = rates.slice(minute, minute + 3);
      if (came.length < 3) continue;
      judged += 1;
      if (Math.max(...came) <= upper) covered += 1;
    }
    expect(covered / judged).toBeGreaterThan(0.87);
    expect(covered / judged).toBeLessThan(0.93);
  });

  test("is the excess of which the asked share of outcomes stays at or below", () => {
    const headroom = createForecastHeadroom();
    // Peaks of 10², 10.1² … 13.9² where 10² was forecast.
    for (let minute = 0; minute < 40; minute += 1) {
      headroom.note(forecastAt(minute, [100]));
      headroom.observe(minute * minuteMs, (10 + minute / 10) ** 2);
    }
    expect(headroom.upperQps(forecastAt(40, [100]), 0.5)).toBeCloseTo(12 ** 2, 9);
    expect(headroom.upperQps(forecastAt(40, [100]), 1)).toBeCloseTo(13.9 ** 2, 9);
  });

  test("a day of outcomes is remembered, however long it runs", () => {
    const headroom = createForecastHeadroom();
    for (let minute = 0; minute < 6000; minute += 1) {
      headroom.note(forecastAt(minute, [100]));
      headroom.observe(minute * minuteMs, minute < 4000 ? 400 : 100);
    }
    expect(headroom.upperQps(forecastAt(6000, [100]), 0.99)).toBe(100);
    for (let minute = 6000; minute < 9000; minute += 1) {
      headroom.note(forecastAt(minute, [100]));
      headroom.observe(minute * minuteMs, 100);
    }
    expect(headroom.upperQps(forecastAt(9000, [100]), 0.99)).toBe(100);
  });

  test("a forecast some of whose minutes nobody counted teaches nothing", () => {
    const headroom = createForecastHeadroom();
    for (let minute = 0; minute < 100; minute += 1) {
      headroom.note(forecastAt(minute, [1, 1, 1]));
      if (minute % 3 !== 0) headroom.observe(minute * minuteMs, 1000);
    }
    expect(headroom.upperQps(forecastAt(100, [10]), 0.9)).toBe(15);
  });

  test("the same forecast counts once; a clock set back and rates that are no numbers do no harm", () => {
    const headroom = createForecastHeadroom();
    for (let minute = 0; minute < 20; minute += 1) {
      for (let again = 0; again < 5; again += 1) headroom.note(forecastAt(minute, [1]));
      headroom.observe(minute * minuteMs, 4);
      headroom.observe(minute * minuteMs, Number.NaN);
    }
    headroom.note(forecastAt(5, [1]));
    headroom.observe(5 * minuteMs, 4);
    expect(headroom.upperQps(forecastAt(21, [100]), 0.9)).toBe(150);
  });

  test("a forecast of nothing has room as well", () => {
    const headroom = createForecastHeadroom();
    for (let minute = 0; minute < 50; minute += 1) {
      headroom.note(forecastAt(minute, [0]));
      headroom.observe(minute * minuteMs, 9);
    }
    expect(headroom.upperQps(forecastAt(50, [0]), 0.9)).toBe(9);
    expect(headroom.upperQps(forecastAt(50, []), 0.9)).toBe(9);
  });
});
