import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import pino from "pino";
import { Registry } from "prom-client";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { accuracyWindows, registerAccuracyMetrics } from "#forecast/accuracy/accuracy-metrics.ts";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import {
  decideForecastOutcome,
  type MadeForecast,
  riseThresholdQps,
} from "#forecast/accuracy/decide-forecast-outcome.ts";
import { StoredAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import { withLiveAccuracy } from "#forecast/accuracy/scored-forecaster.ts";
import { countRises, type ScoredForecast, summarizeAccuracy } from "#forecast/accuracy/summarize-accuracy.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { minuteMs } from "#platform/time.ts";
import { ForecastAccuracy } from "#protocol/messages.ts";

const made = (qps: number[], change: Partial<MadeForecast> = {}): MadeForecast => ({
  madeAtMs: 0,
  model: "m",
  startMs: 600 * minuteMs,
  stepMs: minuteMs,
  levelQps: 100,
  qps,
  peakQps: Math.max(...qps),
  upperPeakQps: null,
  ...change,
});

describe("decideForecastOutcome", () => {
  test.each<{
    name: string;
    forecast: MadeForecast;
    actual: (number | null)[];
    expected: object | null;
  }>([
    {
      name: "errors are summed over the steps that were counted",
      forecast: made([100, 110, 90]),
      actual: [90, null, 100],
      expected: { steps: 2, absoluteError: 20, signedError: 0, actual: 190, peakForecastQps: 110, peakActualQps: 100 },
    },
    {
      name: "half was counted, at low rates",
      forecast: made([1, 2]),
      actual: [0.25, null],
      expected: { steps: 1, actual: 0.25, peakActualQps: 0.25 },
    },
    { name: "nothing came", forecast: made([1, 2]), actual: [0, 0], expected: { actual: 0, peakActualQps: 0 } },
    { name: "no step was counted", forecast: made([1, 2]), actual: [null, null], expected: null },
    { name: "nothing is known yet", forecast: made([1, 2]), actual: [], expected: null },
    { name: "less than half was counted", forecast: made([1, 2, 3]), actual: [1, null, null], expected: null },
    { name: "forecast and come", forecast: made([100, 130, 140]), actual: [100, 130, 140], expected: { rise: "hit" } },
    {
      name: "come where only its amount was wrong",
      forecast: made([100, 126, 126]),
      actual: [100, 100, 300],
      expected: { rise: "hit", onsetMs: 602 * minuteMs },
    },
    {
      name: "come but not forecast",
      forecast: made([100, 100, 100]),
      actual: [100, 130, 140],
      expected: { rise: "miss", onsetMs: 601 * minuteMs },
    },
    {
      name: "forecast only once it was there",
      forecast: made([130, 130]),
      actual: [130, 130],
      expected: { rise: "miss", onsetMs: 600 * minuteMs },
    },
    {
      name: "forecast but not come",
      forecast: made([130, 130]),
      actual: [100, 100],
      expected: { rise: "false-alarm", onsetMs: null },
    },
    {
      name: "a forecast just at the threshold",
      forecast: made([125, 125]),
      actual: [100, 100],
      expected: { rise: "false-alarm" },
    },
    {
      name: "a rise just at the threshold",
      forecast: made([100, 100]),
      actual: [100, 125],
      expected: { rise: "miss" },
    },
    { name: "neither", forecast: made([124, 100]), actual: [100, 124], expected: { rise: "quiet" } },
    { name: "one high minute", forecast: made([100, 100, 100]), actual: [100, 130, 90], expected: { rise: "quiet" } },
    {
      name: "silence before, a handful after",
      forecast: made([0, 0], { levelQps: 0 }),
      actual: [0.02, 0.03],
      expected: { rise: "quiet" },
    },
    {
      name: "silence before, traffic after",
      forecast: made([0, 0], { levelQps: 0 }),
      actual: [0, 5],
      expected: { rise: "miss" },
    },
    { name: "within its bound", forecast: made([1], { upperPeakQps: 2 }), actual: [2], expected: { covered: true } },
    { name: "beyond its bound", forecast: made([1], { upperPeakQps: 2 }), actual: [2.1], expected: { covered: false } },
    { name: "without a bound", forecast: made([1]), actual: [2], expected: { covered: null } },
  ])("$name", ({ forecast, actual, expected }) => {
    const outcome = decideForecastOutcome(forecast, actual);
    if (expected === null) expect(outcome).toBeNull();
    else expect(outcome).toMatchObject(expected);
  });

  test("noise is no rise: three standard deviations of the count at low rates, a quarter at high ones", () => {
    expect(riseThresholdQps(100, minuteMs)).toBe(125);
    expect(riseThresholdQps(1, minuteMs)).toBeCloseTo(1 + (3 * Math.sqrt(60)) / 60, 9);
    expect(riseThresholdQps(0, minuteMs)).toBeCloseTo(3 / 60, 9);
  });
});

const scored = (minute: number, change: Partial<ScoredForecast> = {}): ScoredForecast => ({
  startMs: minute * minuteMs,
  model: "m",
  absoluteError: 10,
  signedError: -10,
  actual: 100,
  peakForecastQps: 90,
  peakActualQps: 100,
  covered: null,
  rise: "quiet",
  onsetMs: null,
  ...change,
});
const hit = (minute: number, onset: number) => scored(minute, { rise: "hit", onsetMs: onset * minuteMs });
const miss = (minute: number, onset: number) => scored(minute, { rise: "miss", onsetMs: onset * minuteMs });
const alarm = (minute: number) => scored(minute, { rise: "false-alarm" });

describe("countRises", () => {
  test.each<{
    name: string;
    forecasts: ScoredForecast[];
    expected: [hits: number, misses: number, falseAlarms: number, leads: number[]];
  }>([
    { name: "nothing", forecasts: [], expected: [0, 0, 0, []] },
    {
      name: "one rise that many forecasts told of: the first warning counts",
      forecasts: [miss(0, 14), hit(2, 14), hit(3, 14), miss(14, 14)],
      expected: [1, 0, 0, [12]],
    },
    {
      name: "one that none told of in time",
      forecasts: [miss(0, 14), miss(1, 14), miss(14, 14)],
      expected: [0, 1, 0, []],
    },
    {
      name: "its beginning looks later once the level has risen: still one",
      forecasts: [hit(0, 10), hit(8, 12), miss(12, 15)],
      expected: [1, 0, 0, [10]],
    },
    { name: "two rises", forecasts: [hit(0, 10), miss(20, 30)], expected: [1, 1, 0, [10]] },
    { name: "alarms in a row are one", forecasts: [alarm(0), alarm(1), alarm(15), alarm(40)], expected: [0, 0, 2, []] },
  ])("$name", ({ forecasts, expected: [hits, misses, falseAlarms, leads] }) => {
    expect(countRises(forecasts)).toEqual({ hits, misses, falseAlarms, leadsMs: leads.map((lead) => lead * minuteMs) });
  });
});

describe("summarizeAccuracy", () => {
  test("of nothing says so", () => {
    const nothing = summarizeAccuracy([], 1);
    expect(explainMistakes(ForecastAccuracy, nothing)).toEqual([]);
    expect(nothing).toMatchObject({
      forecasts: 0,
      wapePercent: null,
      coverage95: null,
      hitRate: null,
      medianLeadMinutes: null,
    });
  });
  test("gives the figures of all", () => {
    const forecasts = [
      hit(0, 10),
      scored(30, { covered: true, model: "lstm", signedError: 10 }),
      scored(31, { covered: false, absoluteError: 40, signedError: -40 }),
      hit(60, 65),
      alarm(90),
      miss(120, 130),
    ];
    const summary = summarizeAccuracy(forecasts, 5);
    expect(explainMistakes(ForecastAccuracy, summary)).toEqual([]);
    expect(summary).toEqual({
      windowMs: 5,
      forecasts: 6,
      wapePercent: 15,
      biasPercent: (100 * -70) / 600,
      peakWapePercent: 10,
      coverage95: 0.5,
      rises: 3,
      hits: 2,
      misses: 1,
      falseAlarms: 1,
      hitRate: 2 / 3,
      missRate: 1 / 3,
      falseAlarmRate: 1 / 3,
      medianLeadMinutes: 7.5,
      served: { m: 5, lstm: 1 },
    });
  });
});

describe("live accuracy", () => {
  function openDatabase() {
    const database = new Database(":memory:", { strict: true });
    for (const migration of agentStateMigrations) database.run(migration);
    return database;
  }
  /** 50 texts per second, and 100 from minute 100 on. */
  const rate = (minute: number) => (minute < 100 ? 50 : 100);
  const history = (until: number, from = 0) =>
    Array.from({ length: until - from }, (_, index) => ({
      minuteStartMs: (from + index) * minuteMs,
      qps: rate(from + index),
    }));
  const report = (minute: number, qps: number) => ({
    madeAtMs: minute * minuteMs + 300,
    model: "m",
    reason: "",
    stepMs: minuteMs,
    qps: new Array<number>(15).fill(qps),
  });

  test("a forecast is scored when its time has come, not before", () => {
    const accuracy = new StoredAccuracy(openDatabase());
    accuracy.observe(report(20, 55), history(20));
    for (let minute = 21; minute <= 34; minute += 1) accuracy.observe(report(minute, 50), history(minute));
    expect(accuracy.figures(accuracyWindows["24h"], 34 * minuteMs).forecasts).toBe(0);
    accuracy.observe(report(35, 50), history(35));
    const figures = accuracy.figures(accuracyWindows["24h"], 35 * minuteMs);
    expect(figures).toMatchObject({ forecasts: 1, wapePercent: 10, biasPercent: 10 });
  });

  test("forecasts made before a restart are scored after it, and the figures continue", () => {
    const database = openDatabase();
    const before = new StoredAccuracy(database);
    for (let minute = 20; minute <= 60; minute += 1) before.observe(report(minute, 55), history(minute));
    const after = new StoredAccuracy(database);
    after.observe(report(80, 50), history(80));
    expect(after.figures(accuracyWindows["24h"], 80 * minuteMs)).toMatchObject({ forecasts: 41, wapePercent: 10 });
  });

  test("a forecaster that sees the rise coming hits it with its lead, one that doesn't misses it", () => {
    const run = (predict: (minute: number) => number) => {
      const accuracy = new StoredAccuracy(openDatabase());
      for (let minute = 20; minute <= 140; minute += 1)
        accuracy.observe(report(minute, predict(minute)), history(minute));
      return accuracy.figures(accuracyWindows["24h"], 140 * minuteMs);
    };
    const foresight = run((minute) => Math.max(rate(minute), rate(minute + 12)));
    expect(foresight).toMatchObject({ rises: 1, hits: 1, misses: 0, falseAlarms: 0, medianLeadMinutes: 12 });
    expect(run(() => 50)).toMatchObject({ rises: 1, hits: 0, misses: 1, falseAlarms: 0, medianLeadMinutes: null });
    const nervous = run((minute) => (minute === 40 || minute === 41 ? 90 : rate(minute)));
    expect(nervous).toMatchObject({ hits: 0, misses: 1, falseAlarms: 1, falseAlarmRate: 1 });
  });

  test("the bound is learnt from what the newest peaks needed", () => {
    const accuracy = new StoredAccuracy(openDatabase());
    const day = Array.from({ length: 300 }, (_, minute) => ({ minuteStartMs: minute * minuteMs, qps: 50 }));
    // Always a tenth too low: the factor of 50 / 45 covers all.
    for (let minute = 20; minute <= 300; minute += 1) accuracy.observe(report(minute, 45), day.slice(0, minute));
    expect(accuracy.figures(accuracyWindows["24h"], 300 * minuteMs).coverage95).toBe(1);
  });

  test("the level before a forecast is the mean of the newest five minutes", () => {
    const alarmsAfter = (highMinute: number) => {
      const accuracy = new StoredAccuracy(openDatabase());
      const rates = Array.from({ length: 40 }, (_, minute) => ({
        minuteStartMs: minute * minuteMs,
        qps: minute === highMinute ? 1_000 : 50,
      }));
      accuracy.observe(report(20, 90), rates.slice(0, 20));
      accuracy.observe(report(35, 50), rates.slice(0, 35));
      return accuracy.figures(accuracyWindows["24h"], 35 * minuteMs).falseAlarms;
    };
    expect(alarmsAfter(14)).toBe(1);
    expect(alarmsAfter(15)).toBe(0); // a level of 240: 90 is no rise
  });

  test("rows that this program can't have written are removed, reported, and count for nothing", () => {
    const database = openDatabase();
    const reported: string[] = [];
    const accuracy = new StoredAccuracy(database, undefined, (key) => reported.push(key));
    for (let minute = 20; minute <= 40; minute += 1) accuracy.observe(report(minute, 55), history(minute));
    database.run("UPDATE forecast_made SET model = ? WHERE start_ms = ?", ["m".repeat(100), 20 * minuteMs]);
    database.run("UPDATE forecast_made SET qps = '{' WHERE start_ms = ?", [26 * minuteMs]);
    const figures = () => accuracy.figures(accuracyWindows["24h"], 60 * minuteMs).forecasts;
    expect(figures()).toBe(5);
    accuracy.observe(report(41, 55), history(41));
    expect(figures()).toBe(5); // minute 26 would have been the sixth
    expect(reported).toEqual([String(20 * minuteMs), String(26 * minuteMs)]);
    accuracy.observe(report(42, 55), history(42));
    expect(figures()).toBe(6);
    expect(reported).toHaveLength(2);
  });

  test("a forecast that says its peak's quantiles is judged by those", () => {
    const accuracy = new StoredAccuracy(openDatabase());
    const flat = Array.from({ length: 60 }, (_, minute) => ({ minuteStartMs: minute * minuteMs, qps: 50 }));
    for (let minute = 20; minute <= 60; minute += 1) {
      const peakQps = { q50: 40, q90: 45, q95: minute % 2 === 0 ? 49 : 51 };
      accuracy.observe({ ...report(minute, 50), peakQps }, flat.slice(0, minute));
    }
    const figures = accuracy.figures(accuracyWindows["24h"], 60 * minuteMs);
    expect(figures).toMatchObject({ forecasts: 26, wapePercent: 0, peakWapePercent: 20, coverage95: 0.5 });
  });

  test("minutes that were not counted judge nothing; a clock set back does no harm; old rows are deleted", () => {
    const database = openDatabase();
    const accuracy = new StoredAccuracy(database);
    const rows = () => database.query<{ rows: number }, []>("SELECT count(*) AS rows FROM forecast_made").get()!.rows;
    accuracy.observe(report(20, 50), history(20));
    accuracy.observe(report(100, 50), history(100, 95));
    expect(accuracy.figures(accuracyWindows["7d"], 100 * minuteMs).forecasts).toBe(0);
    expect(rows()).toBe(1);
    accuracy.observe(report(50, 50), history(50));
    accuracy.observe(report(100, 50), history(100));
    expect(rows()).toBe(2);
    accuracy.observe(report(10, 50), []);
    accuracy.observe(report(10, 50), [{ minuteStartMs: 9 * minuteMs, qps: null }]);
    expect(rows()).toBe(2);
    accuracy.prune(99 * minuteMs);
    expect(rows()).toBe(1);
  });

  test("a forecaster whose forecasts are judged: that they can't be written down costs none", async () => {
    const database = new Database(":memory:", { strict: true });
    for (const step of controllerMigrations) database.run(step);
    const live = new StoredAccuracy(database);
    const calls: string[] = [];
    const forecaster: Forecaster = {
      start: async () => void calls.push("start"),
      stop: async () => void calls.push("stop"),
      forecast: async (known) => report(known.length, 100),
      describe: () => ({ model: "test", backend: "none", reason: "" }),
    };
    const scored = withLiveAccuracy(forecaster, live, pino({ level: "silent" }));
    for (const minutes of [20, 60]) await scored.forecast(history(minutes), minutes * minuteMs);
    expect(live.figures(accuracyWindows["24h"], 60 * minuteMs).forecasts).toBe(1);
    database.close();
    expect(await scored.forecast(history(61), 61 * minuteMs)).toEqual(report(61, 100));
    await scored.start();
    await scored.stop();
    expect([...calls, scored.describe().model]).toEqual(["start", "stop", "test"]);
  });

  test("the figures are in the metrics and behind the API", async () => {
    const registry = new Registry();
    const figures = (window: keyof typeof accuracyWindows) =>
      summarizeAccuracy(window === "24h" ? [hit(0, 10)] : [], accuracyWindows[window]);
    registerAccuracyMetrics(registry, "thormesh_forecast", figures);
    const text = await registry.metrics();
    expect(text).toContain('thormesh_forecast_wape_ratio{window="24h"} 0.1\n');
    expect(text).not.toContain('thormesh_forecast_wape_ratio{window="7d"}');
    expect(text).toContain('thormesh_forecast_rise_hits{window="24h"} 1\n');
    expect(text).toContain('thormesh_forecast_rise_lead_seconds{window="24h"} 600\n');
    const routes = accuracyRoutes("agent", figures);
    const ask = (query: string) => routes.handle(new Request(`http://127.0.0.1/api/v1/forecast/accuracy${query}`));
    expect(await (await ask("")).json()).toMatchObject({ windowMs: accuracyWindows["24h"], hits: 1 });
    expect(await (await ask("?window=7d")).json()).toMatchObject({ forecasts: 0, wapePercent: null });
    expect(await (await ask("?window=30d")).json()).toMatchObject({ windowMs: 30 * 24 * 60 * minuteMs, forecasts: 0 });
    expect(text).not.toContain('window="30d"');
    expect((await ask("?window=1y")).status).toBe(422);
  });
});
