import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { createCalendar } from "#forecast/data/calendar.ts";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import { findOrigins, splitByTime, strideFor } from "#forecast/data/sample-windows.ts";
import { buildLstm } from "#forecast/lstm/lstm-model.ts";
import { lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { loadModel, modelFilesIn, serializeModel, writeFilesAtomically } from "#forecast/lstm/model-files.ts";
import { startBackend, tf } from "#forecast/lstm/tensorflow.ts";
import { rateSeriesOf } from "#forecast/lstm/train-from-trace.ts";
import type { PromotionDecision } from "#forecast/night/decide-promotion.ts";
import { NightTraining, type NightTrainingParts } from "#forecast/night/night-training.ts";
import { createTrainedModels } from "#forecast/night/trained-models.ts";
import type { TrainerTask } from "#forecast/night/trainer-messages.ts";
import { registerTrainingMetrics } from "#forecast/night/training-metrics.ts";
import { countWindows, renderTrace } from "#forecast/night/training-record.ts";
import { trainingRoutes } from "#forecast/night/training-routes.ts";
import { treesFromText } from "#forecast/trees/kept-trees.ts";
import { minuteMs } from "#platform/time.ts";

const startMs = Date.UTC(2026, 0, 5);
/** A wave of 40 minutes: the last hour determines it, and no simple forecast follows it. */
const minutes = 1_200;
const history = Array.from({ length: minutes }, (_, minute) => ({
  minuteStartMs: startMs + minute * minuteMs,
  qps: minute % 300 === 7 ? null : 10 + 8 * Math.sin((2 * Math.PI * minute) / 40),
}));
const nowMs = startMs + minutes * minuteMs;
const fakeTrainer = new URL("fake-trainer.ts", import.meta.url).pathname;

let root: string;
const running: NightTraining[] = [];

function createMemory(text: string | null = null) {
  return {
    text,
    load() {
      return this.text;
    },
    save(written: string) {
      this.text = written;
    },
  };
}

async function create(change: Partial<NightTrainingParts> = {}) {
  const place = await mkdtemp(join(root, "night-"));
  const memory = createMemory();
  const models = createTrainedModels(join(place, "models"), memory);
  const moment = { busy: false, nowMs, reloads: 0, trees: [] as string[] };
  const training = new NightTraining({
    config: {
      enabled: true,
      window: "00:00-00:00",
      minDays: 0.5,
      maxMinutes: 0.15,
      units: "tiny",
      priority: "normal", // an idle one gets no time where other tests run beside it
      maxMemoryBytes: 1.5e9,
    },
    timeZone: "UTC",
    holidays: [],
    calendar: createCalendar("UTC", []),
    directory: join(place, "training"),
    models,
    configuredModelDirectory: null,
    history: () => history,
    recordedMinutes: () => minutes,
    busy: () => moment.busy,
    onTrees: (text) => void moment.trees.push(text),
    onPromoted: async () => {
      moment.reloads += 1;
    },
    nowMs: () => moment.nowMs,
    log: pino({ level: "silent" }),
    ...change,
  });
  running.push(training);
  return { training, models, moment, place, memory };
}

const fake = (messages: readonly object[], then = "") => ({
  command: () => [process.execPath, fakeTrainer, JSON.stringify(messages), then],
});

const notBetter: PromotionDecision = {
  kind: "keep",
  rule: "not-better",
  wapePercent: 30,
  incumbentWapePercent: 30,
  forecasts: 100,
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(10);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "thormesh-night-"));
  await startBackend("wasm");
});
afterEach(async () => {
  for (const training of running.splice(0)) await training.stop();
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describe("a night's training", () => {
  test("a bad model loses its place to one that this device trained, and comes back only when asked for", async () => {
    const bad = join(root, "bad");
    const network = buildLstm(lstmShapes.tiny, 1);
    network.setWeights(network.getWeights().map((weight) => tf.randomNormal(weight.shape, 0, 1, "float32", 3)));
    await mkdir(bad, { recursive: true });
    await writeFilesAtomically(bad, await serializeModel(network));
    network.dispose();

    const { training, models, moment, place } = await create({ configuredModelDirectory: bad });
    await training.evaluate();
    expect(training.status()).toMatchObject({
      state: "training",
      reason: expect.stringContaining("1200 minutes recorded"),
    });
    await until(() => training.status().state === "waiting");
    const { last, activeModel } = training.status();
    expect(last).toMatchObject({ kind: "promoted", reason: expect.stringContaining("of the model in service") });
    expect(moment.reloads).toBe(1);
    expect(activeModel).toBe(join(place, "models", String(nowMs)));
    (await loadModel(modelFilesIn(activeModel!))).dispose();
    expect(await Bun.file(join(activeModel!, "model-card.md")).text()).toContain("this device's own record");
    expect(await readdir(join(place, "training"))).toEqual(["trace.csv"]);

    // Another night: the same record can't make a model that is better by 1 %, trained by the same recipe.
    await training.evaluate();
    expect(training.status()).toMatchObject({ state: "waiting", reason: "this night's training is done" });
    await training.rollBack();
    expect(models.activeDirectory()).toBeNull();
    await training.rollBack();
    expect(models.activeDirectory()).toBe(activeModel);
    expect(moment.reloads).toBe(3);
  });

  test("begins with the trees, where there is record enough for them", async () => {
    const long = Array.from({ length: 3 * 1440 }, (_, minute) => ({
      minuteStartMs: nowMs + (minute - 3 * 1440) * minuteMs,
      qps: 10 + 8 * Math.sin((2 * Math.PI * minute) / 40),
    }));
    const { training, moment } = await create({ history: () => long, recordedMinutes: () => long.length });
    await training.evaluate();
    await until(() => moment.trees.length > 0 || training.status().state === "waiting");
    expect(treesFromText(moment.trees[0] ?? "")).toMatchObject({ endMs: nowMs, steps: 15, stepMs: minuteMs });
  });

  test("goes on without trees", async () => {
    const done = { kind: "done", decision: notBetter, durationS: 1, verdict: "" };
    const lines: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line).reason) });
    const { training, moment } = await create({ ...fake([{ kind: "no-trees", reason: "too cold" }, done]), log });
    await training.evaluate();
    await until(() => training.status().state === "waiting");
    expect(training.status().last?.kind).toBe("kept");
    expect([lines, moment.trees]).toEqual([["too cold"], []]);
  });

  test("one that does not win is thrown away, and the one in service stays", async () => {
    const done = { kind: "done", decision: notBetter, durationS: 1, verdict: "" };
    const { training, models, place, moment } = await create(fake([done]));
    await mkdir(join(place, "models", String(nowMs)), { recursive: true });
    await training.evaluate();
    await until(() => training.status().state === "waiting");
    expect(training.status().last).toMatchObject({
      kind: "kept",
      reason: expect.stringContaining("not better by the required 1 %"),
    });
    expect(models.activeDirectory()).toBeNull();
    expect(await readdir(join(place, "models"))).toEqual([]);
    expect(moment.reloads).toBe(0);
  });

  test("rests while requests wait, goes on after, and says how far it is", async () => {
    const batch = { kind: "batch", epoch: 3, batch: 2, batches: 9, loss: 0.5 };
    const { training, moment } = await create(fake([batch], "hang"));
    await training.evaluate();
    await until(() => training.status().progress?.epoch === 3);
    const pid = training.status().progress?.pid as number;
    const unknown = { validationLoss: null, rssBytes: null };
    expect(training.status().progress).toEqual({ epoch: 3, batch: 2, batches: 9, loss: 0.5, pid, ...unknown });
    moment.busy = true;
    await training.evaluate();
    expect(training.status()).toMatchObject({ state: "resting", reason: "requests are queued" });
    await training.evaluate();
    await until(() => training.status().progress?.validationLoss === 1);
    moment.busy = false;
    await training.evaluate();
    expect(training.status().state).toBe("training");
    await until(() => training.status().progress?.validationLoss === 2);

    const registry = new Registry();
    registerTrainingMetrics(registry, training);
    expect(await registry.metrics()).toContain("thormesh_forecast_training_running 1\n");
    await training.stop();
    const text = await registry.metrics();
    expect(text).toContain("thormesh_forecast_training_running 0\n");
    expect(text).not.toMatch(/^thormesh_forecast_training_loss /m);
    expect(text).toContain('thormesh_forecast_trainings_total{outcome="stopped"} 1\n');
  });

  test("ends with its window and goes on in the next, from its checkpoint and the same trace", async () => {
    const { training, moment, place } = await create({
      ...fake([], "hang"),
      config: { ...config(), window: "20:00-21:00" },
    });
    await training.evaluate();
    expect(training.status().state).toBe("training");
    await writeFile(join(place, "training", "checkpoint.json"), "{}");
    const trace = await Bun.file(join(place, "training", "trace.csv")).text();
    moment.nowMs += 60 * minuteMs;
    await training.evaluate();
    await until(() => training.status().state === "waiting");
    expect(training.status().last).toMatchObject({ kind: "stopped", reason: expect.stringContaining("has ended") });
    await training.evaluate();
    expect(training.status()).toMatchObject({ state: "waiting", reason: "outside the window 20:00-21:00" });
    moment.nowMs += 23 * 60 * minuteMs;
    await training.evaluate();
    expect(training.status().state).toBe("training");
    expect((await readdir(join(place, "training"))).sort()).toEqual(["checkpoint.json", "trace.csv"]);
    expect(await Bun.file(join(place, "training", "trace.csv")).text()).toBe(trace);
    // Two nights later the trace is too old to continue with.
    await training.stop();
    moment.nowMs += 48 * 60 * minuteMs;
    await training.evaluate();
    expect(await readdir(join(place, "training"))).toEqual(["trace.csv"]);
  });

  test("waits while the record has gaps where there should be windows, and begins by itself once it has enough", async () => {
    // On standby all the time but for the last five hours: nothing to learn from, until more has come.
    let served = 200;
    const standby = history.map((row, minute) => (minute < minutes - 200 ? { ...row, qps: 0 } : row));
    const record = () => (served === 200 ? standby : history);
    const { training, moment, place } = await create({ ...fake([], "hang"), history: record });
    await training.evaluate();
    const waiting = { state: "waiting", last: null, reason: expect.stringContaining("too little record without gaps") };
    expect(training.status()).toMatchObject(waiting);
    expect(training.outcomes().failed).toBe(0);
    await expect(readdir(join(place, "training"))).rejects.toThrow();
    served = minutes;
    moment.nowMs += minuteMs;
    await training.evaluate(); // it counts anew every ten minutes only
    expect(training.status()).toMatchObject(waiting);
    moment.nowMs += 9 * minuteMs;
    await training.evaluate();
    expect(training.status().state).toBe("training");
  });

  test("an unfinished one goes on even when the record got worse meanwhile", async () => {
    let rows = history;
    const { training, moment, place } = await create({ ...fake([], "hang"), history: () => rows });
    await training.evaluate();
    await writeFile(join(place, "training", "checkpoint.json"), "{}");
    await training.stop();
    rows = [];
    moment.nowMs += 11 * minuteMs;
    await training.evaluate();
    expect(training.status().state).toBe("training");
  });

  test.each([
    {
      name: "fails",
      messages: [{ kind: "failed", reason: "too few complete windows" }],
      says: "too few complete windows",
    },
    { name: "ends without a word", messages: [], says: "ended with 0" },
    {
      name: "takes too much memory",
      messages: [
        { kind: "epoch", report: { epoch: 1, trainingLoss: 1, validationLoss: 1, outcome: "" }, rssBytes: 2e9 },
      ],
      says: "2000000000 bytes of memory, 1500000000 allowed",
    },
  ])("one that $name is not tried again that night", async ({ messages, says }) => {
    const { training } = await create(fake(messages));
    await training.evaluate();
    await until(() => training.status().state === "waiting");
    expect(training.status().last).toMatchObject({ kind: "failed", reason: expect.stringContaining(says) });
    expect(training.outcomes().failed).toBe(1);
    await training.evaluate();
    expect(training.status().state).toBe("waiting");
  });

  test("one that is killed from outside goes on from its checkpoint the next night", async () => {
    const { training, place, moment } = await create(fake([], "hang"));
    await training.evaluate();
    await writeFile(join(place, "training", "checkpoint.json"), "{}");
    process.kill(training.status().progress?.pid as number, "SIGKILL");
    await until(() => training.status().state === "waiting");
    expect(training.status().last).toMatchObject({
      kind: "failed",
      reason: "the training process was ended by SIGKILL",
    });
    expect((await readdir(join(place, "training"))).sort()).toEqual(["checkpoint.json", "trace.csv"]);
    moment.nowMs += 24 * 60 * minuteMs;
    await training.evaluate();
    expect(training.status().state).toBe("training");
    expect((await readdir(join(place, "training"))).sort()).toEqual(["checkpoint.json", "trace.csv"]);
  });

  test("a restart in the night begins no other one; what can't be read counts as none", async () => {
    const memory = createMemory();
    const done = { kind: "done", decision: notBetter, durationS: 1, verdict: "" };
    const { training } = await create({ ...fake([done]), memory });
    await training.evaluate();
    await until(() => training.status().state === "waiting");
    const { training: after } = await create({ ...fake([], "hang"), memory });
    await after.evaluate();
    expect(after.status()).toMatchObject({ reason: "this night's training is done", last: training.status().last });
    for (const text of ["{", "[]", '{"kind":"won"}']) {
      const { training: anew } = await create({ ...fake([], "hang"), memory: createMemory(text) });
      expect(anew.status().last).toBeNull();
      await anew.evaluate();
      expect(anew.status().state).toBe("training");
    }
  });

  test.each([
    { name: "the night the clock goes forward", atMs: Date.UTC(2026, 2, 29, 1, 30), trains: true }, // 03:30, an hour after 01:30
    { name: "just before it does", atMs: Date.UTC(2026, 2, 29, 0, 59), trains: false }, // 01:59
    { name: "the night the clock goes back, its second 02:30", atMs: Date.UTC(2026, 9, 25, 1, 30), trains: true },
    { name: "its first 02:30", atMs: Date.UTC(2026, 9, 25, 0, 30), trains: true },
    { name: "04:30 of that night", atMs: Date.UTC(2026, 9, 25, 3, 30), trains: false },
  ])("the window is of the local clock: $name", async ({ atMs, trains }) => {
    const { training, moment } = await create({
      ...fake([], "hang"),
      calendar: createCalendar("Europe/Berlin", []),
      config: { ...config(), window: "02:00-04:00" },
    });
    moment.nowMs = atMs;
    await training.evaluate();
    expect(training.status().state).toBe(trains ? "training" : "waiting");
  });

  test("waits within the window for a cheaper hour, says so, and begins in it", async () => {
    const usdPerKwh = [0.3, 0.3, 0.3, 0.1, 0.3, 0.3];
    const { training, moment, place } = await create({
      ...fake([], "hang"),
      config: { ...config(), window: "20:00-01:00", maxMinutes: 60 },
      tariff: () => ({ region: "", fromMs: nowMs, usdPerKwh }),
    });
    const electricity = { nowUsdPerKwh: 0.3, later: { startMs: nowMs + 180 * minuteMs, usdPerKwh: 0.1 } };
    await training.evaluate();
    expect(training.status()).toMatchObject({
      ...{ state: "waiting", electricity },
      reason: expect.stringContaining("electricity is cheaper from 2026-01-05 23:00 UTC on"),
    });
    await expect(readdir(join(place, "training"))).rejects.toThrow();
    moment.nowMs += 180 * minuteMs;
    await training.evaluate();
    expect(training.status()).toMatchObject({
      state: "training",
      reason: expect.stringContaining("within the window"),
    });
    await training.evaluate();
    expect(training.status()).toMatchObject({ state: "training", electricity: null });
  });

  test("a controller that is gone lets no night be missed", async () => {
    // What it told ends at 22:00; until then 23:00 could be cheaper, but nobody knows.
    const told = { region: "", fromMs: nowMs, usdPerKwh: [0.3, 0.3] };
    const { training } = await create({
      ...fake([], "hang"),
      config: { ...config(), window: "20:00-01:00", maxMinutes: 60 },
      tariff: () => told,
    });
    await training.evaluate();
    expect(training.status().state).toBe("training");
  });

  test("gives the trainer its task: the model in service to beat, limits and calendar", async () => {
    const tasks: TrainerTask[] = [];
    const command = (task: TrainerTask) => {
      tasks.push(task);
      return ["/nowhere/trainer"];
    };
    const change = {
      command,
      timeZone: "Asia/Tokyo",
      holidays: ["2026-01-05"],
      configuredModelDirectory: "/configured",
    };
    const { training, models, moment, place } = await create({ ...change, config: { ...config(), maxMinutes: 7 } });
    await training.evaluate();
    expect(tasks[0]).toEqual({
      tracePath: join(place, "training", "trace.csv"),
      outputDirectory: join(place, "models", String(nowMs)),
      checkpointPath: join(place, "training", "checkpoint.json"),
      incumbentDirectory: "/configured",
      units: "tiny",
      maxMs: 420_000,
      priority: "normal",
      timeZone: "Asia/Tokyo",
      holidays: ["2026-01-05"],
    });
    await models.promote("17");
    moment.nowMs += 13 * 60 * minuteMs;
    await training.evaluate();
    expect(tasks[1]?.incumbentDirectory).toBe(join(place, "models", "17"));
  });

  test("a process that can't be started is a failure, not an error", async () => {
    const { training } = await create({ command: () => ["/nowhere/trainer"] });
    await training.evaluate();
    expect(training.status().last).toMatchObject({ kind: "failed" });
  });

  test("a memory that holds something else means that nothing was trained", () => {
    for (const text of ["{", "[]", '{"active":"../../etc","previous":null}']) {
      expect(createTrainedModels("/nowhere", createMemory(text)).activeDirectory()).toBeNull();
    }
  });

  test("is behind the API", async () => {
    const { training, models, place } = await create(fake([], "hang"));
    await models.promote("123");
    const routes = trainingRoutes(() => training);
    const ask = async (path: string, method: string) =>
      (await routes.handle(new Request(`http://127.0.0.1${path}`, { method }))).json();
    const active = join(place, "models", "123");
    expect(await ask("/api/v1/forecast/training", "GET")).toMatchObject({
      state: "waiting",
      progress: null,
      activeModel: active,
    });
    expect(await ask("/api/v1/forecast/rollback", "POST")).toMatchObject({ activeModel: null });
  });
});

const config = (): NightTrainingParts["config"] => ({
  enabled: true,
  window: "00:00-00:00",
  minDays: 0.5,
  maxMinutes: 1,
  units: "tiny",
  priority: "normal",
  maxMemoryBytes: 1.5e9,
});

describe("the windows of a record", () => {
  const rows = (qps: (minute: number) => number | null, count = 400) =>
    Array.from({ length: count }, (_, minute) => ({ minuteStartMs: startMs + minute * minuteMs, qps: qps(minute) }));

  test.each([
    { name: "none", history: rows(() => null), found: [0, 0, 0] },
    { name: "all on standby", history: rows(() => 0), found: [0, 0, 0] },
    // 400 minutes: origins 60 to 265, 280 to 325, 340 to 385.
    { name: "no gap", history: rows(() => 1), found: [206, 46, 46] },
    {
      name: "on standby until it served: as if it had begun then",
      history: rows((m) => (m < 900 ? 0 : 1), 1300),
      found: [206, 46, 46],
    },
    { name: "off until it served", history: rows((m) => (m < 900 ? null : 1), 1300), found: [206, 46, 46] },
    { name: "every tenth minute missing", history: rows((m) => (m % 10 === 0 ? null : 1)), found: [0, 0, 0] },
    { name: "the newest two hours missing", history: rows((m) => (m < 280 ? 1 : null)), found: [122, 28, 28] },
    {
      name: "an outage written as zeros in the judged part",
      history: rows((m) => (m >= 345 && m < 390 ? 0 : 1)),
      found: [206, 46, 0],
    },
  ])("$name", ({ history, found }) => {
    const { train, validation, test } = countWindows(history);
    expect([train.found, validation.found, test.found]).toEqual([...found]);
    expect([train.needed, validation.needed, test.needed]).toEqual([1, 1, 30]);
  });

  test("a long record needs as many as an epoch takes a window every", () => {
    const { train, test } = countWindows(rows(() => 1, 43_200));
    expect([train.needed, test.needed]).toEqual([21, 30]);
  });

  test("are those that the trainer finds in the trace", () => {
    const gappy = rows((m) => (m < 70 ? 0 : m > 300 && m < 360 ? null : m > 700 && m < 760 ? 0 : 1 + (m % 7)), 1500);
    const trace = parseTrace(renderTrace(gappy), "record");
    const series = rateSeriesOf({ trace, sha256: "", source: null, licence: null, timeZone: "UTC", holidays: [] });
    const split = splitByTime(findOrigins(series.qps), series.qps.length);
    const counted = countWindows(gappy);
    expect(split.train.length).toBeGreaterThan(100);
    expect(counted).toMatchObject({
      train: { found: split.train.length, needed: strideFor(series.qps.length) },
      validation: { found: split.validation.length },
      test: { found: split.test.length },
    });
  });
});

test("the record becomes a trace: texts per minute, gaps left out", () => {
  const rows = [1, null, Number.NaN, 0.5].map((qps, minute) => ({ minuteStartMs: startMs + minute * minuteMs, qps }));
  expect(renderTrace(rows)).toBe("timestamp,value\n2026-01-05T00:00:00.000Z,60\n2026-01-05T00:03:00.000Z,30\n");
});

describe("a trainer that does not behave is killed, and the outcome says why", () => {
  const script = (code: string) => ({ command: () => [process.execPath, "-e", code] });
  const stays = "setInterval(() => {}, 1000);";
  test.each([
    ["says nothing", script(stays), "sent nothing for"],
    ["stops itself", script("process.kill(process.pid, 'SIGSTOP')"), "was stopped by a signal"],
    ["says null", script(`process.send(null); ${stays}`), "sent something that is not a message"],
    ["says a text", script(`process.send("garbage"); ${stays}`), "sent something that is not a message"],
  ])("%s", async (_what, { command }, reason) => {
    const hangs: string[] = [];
    const { training } = await create({ command, silenceMs: 1_000, onHang: (what) => hangs.push(what) });
    await training.evaluate();
    await until(() => training.status().last !== null);
    expect(training.status().last).toMatchObject({ kind: "failed", reason: expect.stringContaining(reason) });
    expect(hangs).toHaveLength(1);
  });

  test("one that rests is not expected to say anything", async () => {
    const { training, moment } = await create({ ...fake([], "hang"), silenceMs: 300 });
    await training.evaluate();
    moment.busy = true;
    await training.evaluate();
    await Bun.sleep(700);
    expect(training.status().state).toBe("resting");
  });
});
