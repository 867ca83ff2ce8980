import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { decideDrift } from "#forecast/accuracy/decide-drift.ts";
import { explainDrift } from "#forecast/accuracy/explain-drift.ts";
import type { ForecastPeak } from "#forecast/accuracy/forecast-table.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { summarizeAccuracy } from "#forecast/accuracy/summarize-accuracy.ts";
import { thinPeaks } from "#forecast/accuracy/thin-peaks.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";

test("peaks of past forecasts are kept beside those that came, with their 0.95 quantile", () => {
  const database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  const accuracy = new StoredAccuracy(database);
  const rates = Array.from({ length: 60 }, (_, minute) => ({ minuteStartMs: minute * minuteMs, qps: minute }));
  const path = { madeAtMs: 1, model: "m", reason: "", stepMs: minuteMs, qps: new Array<number>(15).fill(30) };
  accuracy.observe({ ...path, peakQps: { q50: 30, q90: 32, q95: 33 } }, rates.slice(0, 20));
  accuracy.observe(path, rates.slice(0, 21));
  expect(accuracy.peaks(0, 60 * minuteMs)).toEqual([]);
  accuracy.observe(path, rates);
  const expected = { model: "m", forecastQps: 30 };
  expect(accuracy.peaks(0, 60 * minuteMs)).toEqual([
    { ...expected, startMs: 20 * minuteMs, upperQps: 33, actualQps: 34, covered: false },
    { ...expected, startMs: 21 * minuteMs, upperQps: null, actualQps: 35, covered: null },
  ]);
  expect(accuracy.peaks(21 * minuteMs, 60 * minuteMs)).toHaveLength(1);
});

describe("thinned", () => {
  const peak = (minute: number, change: Partial<ForecastPeak> = {}): ForecastPeak => ({
    ...{ startMs: minute * minuteMs, model: "m", forecastQps: minute, upperQps: 100, actualQps: 10, covered: true },
    ...change,
  });

  test("to stretches of whole minutes, with means and what came above", () => {
    const peaks = [
      peak(0),
      peak(1, { model: "n" }),
      peak(2, { covered: false, model: "n" }),
      peak(5, { upperQps: null, covered: null }),
    ];
    expect(thinPeaks(peaks, 0, 6 * minuteMs, 2)).toEqual([
      {
        ...{ startMs: 0, forecasts: 3, forecastQps: 1, upperQps: 100, actualQps: 10 },
        ...{ judged: 3, above: 1, model: "n" },
      },
      {
        ...{ startMs: 3 * minuteMs, forecasts: 1, forecastQps: 5, upperQps: null, actualQps: 10 },
        ...{ judged: 0, above: 0, model: "m" },
      },
    ]);
  });

  test("a month of minutes becomes at most as many as are asked for; a time without forecasts none", () => {
    const month = Array.from({ length: 43_200 }, (_, minute) => peak(minute));
    expect(thinPeaks(month, 0, 43_200 * minuteMs, 300)).toHaveLength(300);
    expect(thinPeaks(month.slice(0, 3), 0, 3 * minuteMs, 300)).toHaveLength(3);
    expect(thinPeaks([], 0, 43_200 * minuteMs, 300)).toEqual([]);
  });
});

describe("drift", () => {
  const figures = (change: Partial<ForecastAccuracy>) => ({ ...summarizeAccuracy([], 1), forecasts: 100, ...change });
  test.each([
    ["nothing is judged", { wapePercent: null }, { wapePercent: 20 }, "unknown", "too few"],
    ["less than an hour is judged", { forecasts: 59, wapePercent: 90 }, { wapePercent: 20 }, "unknown", "too few"],
    ["as ever", { wapePercent: 21, coverage95: 0.95 }, { wapePercent: 20 }, "steady", "95 % of the peaks"],
    [
      "no quantiles",
      { wapePercent: 21, coverage95: null },
      { wapePercent: 20 },
      "steady",
      "21.0 %, of the week 20.0 %",
    ],
    ["larger, and never small", { wapePercent: 44 }, { wapePercent: 30 }, "steady", "44.0 %"],
    ["larger, but small", { wapePercent: 29 }, { wapePercent: 10 }, "steady", "29.0 %"],
    ["much larger", { wapePercent: 46 }, { wapePercent: 30 }, "error", "no longer fits"],
    ["no week", { wapePercent: 46 }, { wapePercent: null }, "steady", "of the week unknown"],
    [
      "peaks above the interval",
      { wapePercent: 21, coverage95: 0.84 },
      { wapePercent: 20 },
      "interval",
      "84 % of the peaks",
    ],
  ])("%s", (_, day, week, rule, says) => {
    const drift = decideDrift(figures(day), figures(week));
    expect(drift.rule).toBe(rule as typeof drift.rule);
    expect(explainDrift(drift)).toContain(says);
  });
});
