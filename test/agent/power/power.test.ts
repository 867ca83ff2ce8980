import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { profileFileName, sweepFileName, writeWhole } from "#agent/power/calibration/profile-file.ts";
import { Power, type PowerParts } from "#agent/power/power.ts";
import { PowerConfig } from "#agent/power/power-config.ts";
import { openGate } from "#agent/serving/ports.ts";
import { SloConfig } from "#agent/slo-config.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import type { MinuteTraffic, PowerModeProfile } from "#protocol/messages.ts";
import { createFakeBoard } from "../../fakes/jetson/board.ts";
import { createRecordingBoard } from "../../fakes/recording-board.ts";

let board: ReturnType<typeof createFakeBoard> | undefined;
let power: Power | undefined;
afterEach(async () => {
  await power?.stop();
  power = undefined;
  board?.dispose();
  board = undefined;
});

/** Power of a board without a profile. */
function open(config: object, change: Partial<PowerParts> = {}): Power {
  power = new Power({
    config: parseConfig(PowerConfig, config, "test"),
    slo: parseConfig(SloConfig, {}, "test"),
    clock: systemClock,
    log: pino({ level: "silent" }),
    metrics: new Registry(),
    stateDir: join(tmpdir(), "no-such-state"),
    model: () => "some-model",
    memory: { load: () => null, save() {} },
    ...change,
  });
  return power;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(10);
}

/** Nothing is forecast, and no one asks for a mode. */
const unguided = {
  forecast: null,
  role: "active",
  desiredMode: null,
  desiredModeCap: null,
  desiredModeUntilMs: null,
  desiredModeCapUntilMs: null,
  felt: null,
} as const;

test("every rail, sensor and core, and the memory, in the metrics", async () => {
  const metrics = new Registry();
  const nowMs = Date.now();
  const fake = createRecordingBoard([]);
  const opened = open({}, { metrics, openDevice: async () => fake.device });
  await opened.start();
  const details = { railsMw: { VDD_GPU: 1962, VIN: 19_780 }, temperaturesC: { tj: 38.875 }, cpuLoads: [0.5, null, 0] };
  fake.read(nowMs, 19.78, { ramUsedMb: 2, ramTotalMb: 8, details });
  const text = await metrics.metrics();
  for (const line of [
    'thormesh_power_rail_watts{rail="VDD_GPU"} 1.962',
    'thormesh_power_rail_watts{rail="VIN"} 19.78',
    'thormesh_temperature_celsius{sensor="tj"} 38.875',
    'thormesh_board_cpu_load_ratio{core="0"} 0.5',
    'thormesh_board_cpu_load_ratio{core="2"} 0',
    'thormesh_board_memory_bytes{kind="used"} 2097152',
    'thormesh_board_memory_bytes{kind="size"} 8388608',
  ])
    expect(text).toContain(`${line}\n`);
  expect(text).not.toContain('core="1"');
});

test("readings that stopped long ago say nothing of now: no watts, no heat to cap the mode by", async () => {
  board = createFakeBoard();
  // One reading and then silence: a second one might come after the clock was put forward.
  board.write("lines", "1");
  board.write("silent-after", "");
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const metrics = new Registry();
  const config = { board: "jetson", jetson: board.config, policy: { thermalLimitC: 38, minDwellS: 0 } };
  const device = open(config, { clock, metrics });
  await device.start();
  await until(() => device.status().sample !== null);
  expect(await metrics.metrics()).toMatch(/^thormesh_power_watts 20$/m);
  await device.evaluate({ ...unguided, liveQps: 9999, nowMs: clock.nowMs() });
  expect(device.status().lastDecision?.thermalCap).toBe(2);

  aheadMs = 10 * 60_000;
  await device.evaluate({ ...unguided, liveQps: 9999, nowMs: clock.nowMs() });
  expect(device.status().sample).toBeNull();
  expect(device.status().lastDecision?.thermalCap).toBe(2);
  const text = await metrics.metrics();
  expect(text).not.toMatch(/^thormesh_power_watts /m);
  expect(text).not.toMatch(/^thormesh_junction_temperature_celsius /m);
});

test("a mode that the controller holds but heat forbids is reported as different, with the reason", async () => {
  board = createFakeBoard();
  const device = open({ board: "jetson", jetson: board.config, policy: { thermalLimitC: 38 } });
  await device.start();
  await until(() => device.status().sample !== null);
  await device.evaluate({ ...unguided, liveQps: 1, desiredMode: "MAXN", nowMs: Date.now() });
  expect(device.differs()).toMatchObject({
    desired: "MAXN",
    reported: "90W",
    reason: expect.stringMatching(/capped at 90W/),
  });
});

test("a board that nobody has calibrated shows its idle draw in a minute without computation: from then on energy is split, and has owners", async () => {
  board = createFakeBoard();
  board.write("milliwatts", "20000");
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const device = open({ board: "jetson", jetson: board.config, policy: { minDwellS: 1e6 } }, { clock });
  const status = () => device.status();
  await device.start();
  await until(() => status().sample !== null && device.currentMode !== null);
  /** A minute in which readings come each 5 s of its clock. */
  const minute = async (computeMs: number) => {
    const minuteStartMs = clock.nowMs();
    for (let reading = 0; reading < 12; reading += 1) {
      aheadMs += 5_000;
      const before = status().sample?.atMs ?? 0;
      await until(() => (status().sample?.atMs ?? 0) >= before + 5_000);
    }
    const one = { requests: 1, texts: 1, tokens: 1, computeMs, latencyCounts: emptyLatencyCounts() };
    const models = computeMs > 0 ? [{ model: "m", ...one, tenants: [{ tenant: "red", ...one }] }] : [];
    return device.closeMinute([{ minuteStartMs, observedMs: 60_000, errors: 0, rejected: 0, models }]);
  };
  await minute(0);
  const first = await minute(0);
  expect(first?.idleJ).toBeUndefined();
  await minute(0); // the reading under way was taken before the figure was known
  board.write("milliwatts", "50000");
  const before = status().sample?.atMs ?? 0;
  await until(() => status().sample?.inputPowerMw === 50_000 && (status().sample?.atMs ?? 0) > before);
  const busy = await minute(900);
  const seconds = (busy?.measuredMs ?? 0) / 1000;
  expect((busy?.idleJ ?? 0) / seconds).toBeCloseTo(20, 0);
  expect((busy?.activeJ ?? 0) / seconds).toBeCloseTo(30, 0);
  expect(busy?.models?.[0]?.tenants?.[0]?.energyJ).toBeCloseTo(busy?.activeJ ?? 0, 6);
});

describe("on a board under the test's control", () => {
  const startMs = Date.UTC(2026, 0, 5);
  const modes: PowerModeProfile[] = [
    { id: 0, name: "MAXN", capacityQps: 400, busyWatts: 100, idleWatts: 20 },
    { id: 1, name: "90W", capacityQps: 280, busyWatts: 70, idleWatts: 15 },
    { id: 2, name: "70W", capacityQps: 220, busyWatts: 50, idleWatts: 10 },
  ];
  let nowMs: number;
  let stateDir: string;
  let metrics: Registry;
  let fake: ReturnType<typeof createRecordingBoard>;
  let device: Power;
  const begin = async (policy: object = {}, listed = modes) => {
    fake = createRecordingBoard(listed);
    device = open(
      { board: "simulated", policy },
      {
        clock: { ...systemClock, nowMs: () => nowMs },
        metrics,
        stateDir,
        openDevice: async () => fake.device,
      },
    );
    await device.start();
    return device;
  };
  beforeEach(() => {
    nowMs = startMs;
    metrics = new Registry();
    stateDir = mkdtempSync(join(tmpdir(), "thormesh-power-"));
  });
  afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

  const evaluate = (change: Partial<Parameters<Power["evaluate"]>[0]> = {}) =>
    device.evaluate({ ...unguided, liveQps: 100, nowMs, ...change });

  function served(texts: number, latencyMs = 5): MinuteTraffic {
    const latencyCounts = emptyLatencyCounts();
    latencyCounts[latencyBucket(latencyMs)] = texts;
    const model = { model: "m", requests: texts, texts, tokens: texts, computeMs: 1000, latencyCounts };
    return { minuteStartMs: nowMs - 60_000, observedMs: 60_000, errors: 0, rejected: 0, models: [model] };
  }

  /** A minute that begins with a choice of the mode, with readings each 5 s. */
  const minute = async (texts: number, change: Partial<Parameters<Power["evaluate"]>[0]> = {}, watts = 30) => {
    await evaluate(change);
    for (let second = 5; second <= 60; second += 5) fake.read(nowMs + second * 1000, watts);
    nowMs += 60_000;
    return device.closeMinute([served(texts)]);
  };

  test("it is known by kind, name and release, and let texts through as it does", async () => {
    await begin();
    expect(device.status()).toMatchObject({ board: "simulated", name: "a board", release: "R1" });
    expect(device.gate.holds?.()).toBe(false);
    await device.gate.enter(1);
    expect(device.health()).toEqual({ status: "healthy", detail: "a board in 70W" });
    expect(device.status().modes).toEqual(modes);
    expect(device.currentMode).toEqual(modes[2] as never);
    await device.stop();
    expect(fake.isMetered()).toBe(false);
  });

  test("nothing of it is known before it is started", () => {
    expect(() => open({}).status()).toThrow("This is a bug.");
  });

  test("a machine without power modes has no record of power, and is not degraded", async () => {
    device = open({ board: "none" });
    await device.start();
    expect(device.closeMinute([served(10)])).toBeNull();
    expect(device.health().status).toBe("unused");
  });

  test("a board that does not tell its mode has its energy recorded nevertheless", async () => {
    await begin();
    fake.state.modeId = null;
    device = open({ board: "simulated" }, { openDevice: async () => fake.device });
    await device.start();
    fake.read(0, 10);
    fake.read(1000, 10);
    expect(device.health().detail).toBe("a board in an unknown mode");
    expect(device.closeMinute([])).toEqual({
      modeId: 0,
      modeName: "unknown",
      energyJ: 10,
      measuredMs: 1000,
      maxTemperatureC: null,
      gpuUtilization: null,
    });
  });

  test("a minute's record has its mode, and its energy split by the mode's idle draw", async () => {
    await begin();
    fake.read(nowMs, 30, { junctionTemperatureC: 50, gpuUtilization: 0.5 });
    expect(await minute(100 * 60)).toEqual({
      modeId: 2,
      modeName: "70W",
      energyJ: 1800,
      measuredMs: 60_000,
      idleJ: 600,
      activeJ: 1200,
      models: [{ model: "m", energyJ: 1200 }],
      maxTemperatureC: 50,
      gpuUtilization: null,
    });
    const { energy, sample } = device.status();
    expect(energy).toMatchObject({
      ...{ idleJ: 600, activeJ: 1200, unsplitJ: 0, gapMs: 0, unattributedJ: 0 },
      attributed: [{ model: "m", tenant: "default", energyJ: 1200 }],
      recent: { requests: 6000, energyJ: 1800, joulesPer1000Requests: 300 },
    });
    expect(sample?.inputPowerMw).toBe(30_000);
    expect(await metrics.metrics()).toMatch(/^thormesh_power_mode\{mode="70W"\} 1$/m);
  });

  test("a minute without readings has no split", async () => {
    await begin();
    expect(device.closeMinute([served(10)])).toEqual({
      modeId: 2,
      modeName: "70W",
      energyJ: 0,
      measuredMs: 0,
      maxTemperatureC: null,
      gpuUtilization: null,
    });
  });

  test("a minute that its mode did not carry makes the policy more careful", async () => {
    await begin();
    const quantile = async (texts: number, change = {}) => {
      await minute(texts, change);
      return device.status().upperQuantile;
    };
    const before = await quantile(100 * 60);
    expect(device.status()).toMatchObject({
      mode: "70W",
      switches: 0,
      lastDecision: { kind: "hold", rule: "carries" },
    });
    expect(before).toBeLessThan(0.9);
    // 219 of the 220 texts per second that the mode carries.
    expect(1 - (await quantile(219 * 60))).toBeCloseTo((1 - before) / 2, 4);
  });

  test.each([
    ["a mode that the controller holds", { desiredMode: "70W" }],
    ["a cap", { desiredModeCap: "70W" }],
    ["standby", { role: "standby" }],
  ] as const)("%s is no choice of the policy: a minute in it teaches nothing", async (_, change) => {
    await begin();
    // The first minute ends what the policy chose before.
    await minute(219 * 60, change);
    const before = device.status().upperQuantile;
    await minute(219 * 60, change);
    expect(device.status().upperQuantile).toBe(before);
  });

  test("nor is a mode that heat asks for", async () => {
    await begin({ thermalLimitC: 60 });
    for (let count = 0; count < 3; count += 1) {
      fake.read(nowMs, 30, { junctionTemperatureC: 70 });
      await evaluate();
      nowMs += 60_000;
    }
    const heat = () => fake.read(nowMs, 30, { junctionTemperatureC: 58 });
    heat();
    await minute(219 * 60);
    const before = device.status().upperQuantile;
    heat();
    await minute(219 * 60);
    expect(device.status()).toMatchObject({ upperQuantile: before, lastDecision: { thermalCap: 2 } });
  });

  test("while a calibration is at work the board is left alone, and its minutes teach nothing of a mode", async () => {
    const calibrating = { pid: 1, board: "", model: "m", texts: "mixed", targetP95Ms: 50, startedAtMs: 0 };
    await begin();
    await writeWhole(join(stateDir, sweepFileName), { version: 1, ...calibrating, returnToModeId: 1, done: [] });
    await evaluate({ liveQps: 399 });
    expect(fake.state.sets).toEqual([]);
    expect(device.status()).toMatchObject({ leftAlone: expect.stringMatching(/calibrate/), lastDecision: null });
    expect(device.health().detail).toMatch(/calibrate/);
    rmSync(join(stateDir, sweepFileName));
    await evaluate({ liveQps: 399 });
    expect(fake.state.sets).toEqual([0]);
    expect(device.status().leftAlone).toBeNull();
  });

  test("minutes in one mode from end to end correct its calibrated figures; one in which it changed does not", async () => {
    const measured = modes.map(({ id, name, capacityQps, busyWatts, idleWatts }) => ({
      ...{ id, name, capacityQps: capacityQps ?? 0, busyWatts, idleWatts },
      ...{ p95Ms: 20, maxTemperatureC: null, measuredAtMs: 5 },
    }));
    const calibration = { model: "some-model", texts: "mixed", targetP95Ms: 50, finishedAtMs: 10, program: "test" };
    await writeWhole(join(stateDir, profileFileName), {
      version: 1,
      board: "a board",
      calibrations: [{ ...calibration, modes: measured }],
    });
    await begin();
    expect(device.status().figures).toMatchObject({ kind: "calibrated", model: "some-model" });
    const { corrections: _, ...origin } = device.status().figures;
    expect(origin).toEqual({
      ...{ kind: "calibrated", model: "some-model", texts: "mixed" },
      ...{ targetP95Ms: 50, calibratedAtMs: 10 },
    });
    const corrected = () => Object.keys(device.status().figures.corrections);
    // Above what the mode is said to carry, and in time.
    await minute(300 * 60);
    expect(corrected()).toEqual([]);
    await minute(300 * 60, { liveQps: 390 });
    expect(device.currentMode?.name).toBe("MAXN");
    expect(corrected()).toEqual([]);
    await minute(410 * 60, { liveQps: 390 });
    expect(corrected()).toEqual(["MAXN"]);
  });

  test("the upper bound of the forecast is learnt from forecasts of a time in service, and used", async () => {
    await begin();
    const forecastOf = (qps: number) => ({
      ...{ madeAtMs: nowMs, model: "m", reason: "", stepMs: 60_000 },
      qps: new Array<number>(15).fill(qps),
    });
    await minute(100 * 60, { forecast: forecastOf(100) });
    // One half of headroom is assumed until 30 forecasts have come true.
    expect(device.status().lastDecision).toMatchObject({ demand: { source: "forecast", qps: 100, upperQps: 150 } });
    for (let count = 0; count < 60; count += 1) await minute(100 * 60, { forecast: forecastOf(100) });
    expect(device.status().lastDecision).toMatchObject({ demand: { source: "forecast", qps: 100, upperQps: null } });
  });

  test("service that is taken up after standby begins in the top mode", async () => {
    await begin();
    await evaluate({ role: "standby" });
    await evaluate({ liveQps: 0 });
    expect(device.status()).toMatchObject({ mode: "MAXN", lastDecision: { rule: "service-started" } });
  });

  test("a mode that can't be set is a fault, a difference and a metric, until it can", async () => {
    await begin();
    fake.state.results.push({ kind: "failed", reason: "not permitted" });
    await evaluate({ liveQps: 399 });
    const failed = { desired: "MAXN", reported: "70W", reason: "not permitted" };
    expect(device.differs()).toEqual(failed);
    expect(device.status().lastFailure).toMatchObject({ modeId: 0, reason: "not permitted" });
    expect(device.status().faults).toMatchObject([{ fault: "mode-set", reason: "not permitted" }]);
    expect(device.health()).toEqual({ status: "degraded", detail: "mode-set: not permitted" });
    expect(await metrics.metrics()).toMatch(/^thormesh_power_mode_failed 1$/m);
    nowMs += 30_000;
    await evaluate({ liveQps: 399 });
    expect(device.differs()).toBeNull();
    expect(device.health().status).toBe("healthy");
    expect(await metrics.metrics()).toMatch(/^thormesh_power_mode_failed 0$/m);
    expect(await metrics.metrics()).toMatch(/^thormesh_power_mode_switches_total 1$/m);
  });

  test("a long reason is cut to what a message may hold, whether the mode was tried now or is passed over", async () => {
    await begin();
    fake.state.results.push({ kind: "failed", reason: "no ".repeat(1000) });
    await evaluate({ liveQps: 399 });
    expect(device.differs()).toMatchObject({ desired: "MAXN", reported: "70W" });
    expect(device.differs()?.reason).toHaveLength(512);
    await evaluate({ liveQps: 399 });
    expect(device.status().lastDecision?.passedOver).toMatchObject({ mode: "MAXN" });
    expect(device.differs()).toMatchObject({ desired: "MAXN", reported: "90W" });
    expect(device.differs()?.reason).toHaveLength(512);
  });

  test("a gate that does not say whether it holds texts back may do so", async () => {
    fake = createRecordingBoard(modes);
    const gate = { enter: openGate.enter };
    device = open({ board: "simulated" }, { openDevice: async () => ({ ...fake.device, gate }) });
    await device.start();
    expect(device.gate.holds?.()).toBe(true);
    expect(device.gate.msFor?.(1)).toBe(0);
  });

  test("a failed attempt is no difference once it is no longer wanted", async () => {
    await begin();
    fake.state.results.push({ kind: "failed", reason: "not permitted" });
    await evaluate({ liveQps: 399 });
    await evaluate({ liveQps: 1 });
    expect(device.differs()).toBeNull();
  });

  test("a board that answers late does not hold up the start", async () => {
    fake = createRecordingBoard(modes);
    const answer = Promise.withResolvers<never[]>();
    const control = { ...fake.control, modes: () => answer.promise };
    device = open(
      { board: "simulated" },
      { openDevice: async () => ({ ...fake.device, gate: { ...openGate, holds: () => true }, control }) },
    );
    await device.start();
    expect(device.currentMode).toBeNull();
    expect(device.gate.holds?.()).toBe(true);
    answer.resolve([]);
  });
});
