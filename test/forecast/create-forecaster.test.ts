import { describe, expect, test } from "bun:test";
import pino from "pino";
import { TrafficBlend } from "#forecast/blend/traffic-blend.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import type { ForecastWorker, ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { UsageError } from "#platform/errors.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { ForecastReport } from "#protocol/messages.ts";

const log = pino({ level: "silent" });
const config = parseConfig(ForecastConfig, {}, "test");
const startMs = Date.UTC(2026, 0, 5, 6);
const nowMs = startMs + 3_600_000;

/** Answers with the script's outputs and keeps what it was asked. */
class ScriptedWorker implements ForecastWorker {
  readonly asked: Float32Array[] = [];
  current: ForecastWorkerState = { kind: "ready", backend: "wasm", reason: "scripted", problem: null, pid: 1 };
  outputs: () => Promise<Float32Array> = async () => new Float32Array(15).fill(0.5);
  started = 0;
  stopped = 0;
  start() {
    this.started += 1;
  }
  async stop() {
    this.stopped += 1;
  }
  state() {
    return this.current;
  }
  async run(features: Float32Array) {
    this.asked.push(features);
    return await this.outputs();
  }
}

function history(rates: readonly (number | null)[]): MinuteRate[] {
  return rates.map((qps, index) => ({ minuteStartMs: nowMs - (rates.length - index) * 60_000, qps }));
}
const hour = (rate: (minute: number) => number | null) =>
  history(Array.from({ length: 60 }, (_, minute) => rate(minute)));

describe("a ready model", () => {
  test("is asked with the window's features, and its outputs become rates", async () => {
    const worker = new ScriptedWorker();
    const forecaster = createForecaster({ config, log, worker });
    // level 2, anchor 3: an output of 0.5 means 3 + 0.5 · 2
    const report = await forecaster.forecast(
      hour((minute) => (minute < 30 ? 1 : 3)),
      nowMs + 0.4,
    );
    expect(report).toMatchObject({
      madeAtMs: nowMs,
      model: "lstm",
      reason: "60 minutes recorded",
      stepMs: 60_000,
      qps: new Array(15).fill(4),
    });
    // Peaks are bounded from the first forecast on; the path's bounds and the shares need forecasts whose time has come.
    expect(report.peakQps!.q95).toBeGreaterThan(report.peakQps!.q50);
    expect(Object.keys(report)).not.toContain("shares");
    expect(explainMistakes(ForecastReport, report)).toEqual([]);
    const [features] = worker.asked;
    expect(features).toHaveLength(300);
    expect(features![1]).toBeCloseTo(6 / 24, 6); // the window starts at 6:00
    expect(features![59 * 5 + 1]).toBeCloseTo((6 + 59 / 60) / 24, 6);
  });

  test("sees the configured zone's hours and holidays", async () => {
    const worker = new ScriptedWorker();
    const local = { ...config, timeZone: "Asia/Tokyo", holidays: ["2026-01-05"] };
    await createForecaster({ config: local, log, worker }).forecast(
      hour(() => 1),
      nowMs,
    );
    expect([...worker.asked[0]!.subarray(1, 5)]).toEqual([15 / 24, 0, 0, 1]);
  });

  test.each([0.05, 1, 1e5])("serves any scale of traffic: %p requests per second", async (scale) => {
    const worker = new ScriptedWorker();
    const forecaster = createForecaster({ config, log, worker });
    const { qps } = await forecaster.forecast(
      hour((minute) => scale * (1 + (minute % 2))),
      nowMs,
    );
    for (const rate of qps) expect(rate / scale).toBeCloseTo(1.5 + 0.5 * 1.5, 5);
  });

  test("gaps are filled in and reported; only the newest hour is the input", async () => {
    const worker = new ScriptedWorker();
    const forecaster = createForecaster({ config, log, worker });
    const rates = [...new Array(600).fill(1_000), ...Array.from({ length: 60 }, (_, i) => (i % 6 === 3 ? null : 2))];
    const report = await forecaster.forecast(history(rates), nowMs);
    expect(report).toMatchObject({ model: "lstm", reason: "60 minutes recorded, 10 missing ones filled in" });
    expect(report.qps[0]).toBeCloseTo(3, 5);
  });

  test("minutes without requests are no gaps", async () => {
    const rates = hour((minute) => (minute < 20 ? 0 : 2));
    const report = await createForecaster({ config, log, worker: new ScriptedWorker() }).forecast(rates, nowMs);
    expect(report).toMatchObject({ model: "lstm", reason: "60 minutes recorded" });
  });

  test("is not asked about silence", async () => {
    const worker = new ScriptedWorker();
    const report = await createForecaster({ config, log, worker }).forecast(
      hour(() => 0),
      nowMs,
    );
    expect(report).toMatchObject({ model: "zero", qps: new Array(15).fill(0) });
    expect(worker.asked).toEqual([]);
  });
});

describe("a hole in the traffic", () => {
  const before = Array.from({ length: 120 }, () => 50);
  test.each([
    { name: "zeros while a proxy is down", hole: new Array<number | null>(20).fill(0) },
    { name: "an hour and a half without a record", hole: new Array<number | null>(90).fill(null) },
    { name: "the traffic is back at a tenth", hole: [...new Array<number | null>(20).fill(0), 5, 5] },
  ])("$name: what was needed before is still forecast", async ({ hole }) => {
    const worker = Object.assign(new ScriptedWorker(), { current: { kind: "starting" } as ForecastWorkerState });
    const report = await createForecaster({ config, log, worker }).forecast(history([...before, ...hole]), nowMs);
    expect(report.model).toBe("moving-average");
    expect(report.qps[0]).toBeWithin(46, 51);
    expect(report.peakQps?.q95).toBeGreaterThan(50);
  });
});

describe("a simple forecast stands in", () => {
  const steady = hour((minute) => (minute < 30 ? 9 : 3));
  const broken = (outputs: () => Promise<Float32Array>) => Object.assign(new ScriptedWorker(), { outputs });
  const inState = (current: ForecastWorkerState) => Object.assign(new ScriptedWorker(), { current });
  test.each([
    {
      name: "no history",
      worker: new ScriptedWorker(),
      given: [],
      model: "zero",
      rate: 0,
      says: "no minute of the last hour was recorded",
    },
    {
      name: "only gaps",
      worker: new ScriptedWorker(),
      given: hour(() => null),
      model: "zero",
      rate: 0,
      says: "no minute of the last hour",
    },
    {
      name: "12 minutes",
      worker: new ScriptedWorker(),
      given: history(new Array(12).fill(2)),
      model: "moving-average",
      rate: 2,
      says: "12 of 60 minutes recorded: using the moving average",
    },
    {
      name: "12 minutes after 48 unrecorded ones",
      worker: new ScriptedWorker(),
      given: hour((minute) => (minute < 48 ? null : 2)),
      model: "moving-average",
      rate: 2,
      says: "12 of 60 minutes recorded",
    },
    {
      name: "too many gaps",
      worker: new ScriptedWorker(),
      given: history([5, ...new Array(15).fill(null), ...new Array(45).fill(3)]),
      model: "moving-average",
      rate: 3,
      says: "15 of the last 60 minutes are missing",
    },
    {
      name: "rates that are no numbers count as gaps",
      worker: new ScriptedWorker(),
      given: history([3, ...new Array(14).fill(Number.NaN), ...new Array(45).fill(3)]),
      model: "moving-average",
      rate: 3,
      says: "14 of the last 60 minutes are missing",
    },
    {
      name: "loading",
      worker: inState({ kind: "starting" }),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "the network is still loading",
    },
    {
      name: "lost",
      worker: inState({ kind: "lost", reason: "weights.bin can't be read" }),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "weights.bin can't be read: using the moving average",
    },
    {
      name: "failed",
      worker: broken(() => Promise.reject(new Error("no forecast within 5 ms"))),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "no forecast within 5 ms: using the moving average",
    },
    {
      name: "not a number",
      worker: broken(async () => new Float32Array(15).fill(Number.NaN)),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "not 15 numbers",
    },
    {
      name: "too few numbers",
      worker: broken(async () => new Float32Array(3)),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "not 15 numbers",
    },
    {
      name: "an endless reason",
      worker: broken(() => Promise.reject(new Error("endless".repeat(1_500)))),
      given: steady,
      model: "moving-average",
      rate: 3,
      says: "endless",
    },
  ])("$name", async ({ worker, given, model, rate, says }) => {
    const report = await createForecaster({ config, log, worker }).forecast(given as MinuteRate[], nowMs);
    expect(report.model).toBe(model);
    expect(report.qps).toEqual(new Array(15).fill(rate));
    expect(report.reason).toContain(says);
    expect(explainMistakes(ForecastReport, report)).toEqual([]);
  });
});

test("does nothing until started, and hands start, reload and stop on", async () => {
  const calls: string[] = [];
  const worker = Object.assign(new ScriptedWorker(), {
    start: () => void calls.push("start"),
    stop: async () => void calls.push("stop"),
  });
  const forecaster = createForecaster({ config, log, worker });
  expect(calls).toEqual([]);
  await forecaster.start();
  await forecaster.reload();
  await forecaster.stop();
  expect(calls).toEqual(["start", "stop", "start", "stop"]);
});

test("learns before its first forecast and after each further one", async () => {
  const random = seededRandom(2);
  const rates = Array.from({ length: 320 }, (_, minute) => 10 + 80 * (minute % 30 < 3 ? 1 : 0) + 5 * random());
  const calendar = createCalendar("UTC", []);
  const worker = Object.assign(new ScriptedWorker(), { current: { kind: "stopped" } as const });
  const forecaster = createForecaster({ config, log, worker });
  const blends = { learning: createBlend(), notLearning: createBlend() };
  const peaks: Record<string, readonly number[]> = {};
  for (let minutes = 250; minutes <= 320; minutes += 1) {
    const endMs = startMs + minutes * 60_000;
    const known = rates.slice(0, minutes);
    const record = known.map((qps, minute) => ({ minuteStartMs: startMs + minute * 60_000, qps }));
    const { peakQps } = await forecaster.forecast(record, endMs);
    peaks["forecaster"] = Object.values(peakQps ?? {});
    for (let turn = 0; turn < 700; turn += 1) await new Promise(setImmediate); // the slices of learning
    const given = { qps: known, stepMs: 60_000, endMs, calendar };
    for (const [name, blend] of Object.entries(blends)) {
      if (minutes === 250) runToEnd(blend.learn(given));
      peaks[name] = blend.forecast(given, (fromMs) => known[(fromMs - startMs) / 60_000], null).peak;
      if (minutes > 250 && name === "learning") runToEnd(blend.learn(given));
    }
  }
  expect(peaks["forecaster"]).toEqual([...(peaks["learning"] ?? [])]);
  expect(peaks["notLearning"]).not.toEqual(peaks["learning"] ?? []);
});

const createBlend = () => new TrafficBlend({ stepMs: 60_000, steps: 15, starter: "lstm" });

test.each([
  { name: "the trained model's directory", trained: "/nowhere/trained", expected: "/nowhere/trained" },
  { name: "the configured one without a trained model", trained: null, expected: "/nowhere/configured" },
])("its process loads $name", async ({ trained, expected }) => {
  const ready = Promise.withResolvers<void>();
  const logged: string[] = [];
  const write = (line: string) => {
    logged.push(line);
    ready.resolve();
  };
  const forecaster = createForecaster({
    config: { ...config, modelDir: "/nowhere/configured", timeoutMs: 30_000 },
    log: pino({ level: "info" }, { write }),
    trainedModelDir: () => trained,
  });
  await forecaster.start();
  await ready.promise;
  expect(forecaster.describe().reason).toContain(`the model in ${expected} can't be used`);
  expect(logged[0]).toContain("the forecasting process is ready on the ");
  await forecaster.stop();
});

test.each([
  {
    state: { kind: "ready", backend: "cpu", reason: "r", pid: 1 } as const,
    expected: { model: "lstm", backend: "cpu", reason: "r" },
  },
  {
    state: { kind: "lost", reason: "gone" } as const,
    expected: { model: "moving-average", backend: "none", reason: "gone" },
  },
  {
    state: { kind: "starting" } as const,
    expected: { model: "moving-average", backend: "none", reason: "the forecasting process is starting" },
  },
])("describes a worker that is $state.kind", ({ state, expected }) => {
  const worker = Object.assign(new ScriptedWorker(), { current: state });
  expect(createForecaster({ config, log, worker }).describe()).toEqual(expected as never);
});

test.each([{ name: "time zone", change: { timeZone: "Mars/Olympus" }, says: "forecast.timeZone" }])(
  "refuses an unknown $name",
  ({ change, says }) => {
    expect(() => createForecaster({ config: { ...config, ...change }, log })).toThrow(UsageError);
    expect(() => createForecaster({ config: { ...config, ...change }, log })).toThrow(says);
  },
);

test("the configuration's defaults are complete and other keys are refused", () => {
  expect(config).toEqual({ modelDir: null, timeoutMs: 2_000, timeZone: "UTC", holidays: [] });
  expect(() => parseConfig(ForecastConfig, { modelDirectory: "x" }, "test")).toThrow(
    "modelDirectory: unknown field; did you mean modelDir?",
  );
  expect(() => parseConfig(ForecastConfig, { holidays: ["25.12."] }, "test")).toThrow("holidays");
});
