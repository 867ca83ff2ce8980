import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import type { PowerControl, PowerSample, SetModeResult } from "#agent/power/device/device.ts";
import { attributeEnergy } from "#agent/power/energy/attribute-energy.ts";
import { createEnergyAccount } from "#agent/power/energy/energy-account.ts";
import { createEnergyMeter } from "#agent/power/energy/energy-meter.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { createPowerGovernor, type PowerCircumstances } from "#agent/power/power-governor.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import type { MinuteTraffic, PowerModeProfile } from "#protocol/messages.ts";

const silent = pino({ level: "silent" });

function sample(atMs: number, inputPowerMw: number | null, change: Partial<PowerSample> = {}): PowerSample {
  return {
    atMs,
    inputPowerMw,
    gpuUtilization: null,
    gpuMemoryUsedMb: null,
    ramUsedMb: null,
    ramTotalMb: null,
    junctionTemperatureC: null,
    ...change,
  };
}

describe("energy meter", () => {
  test("power times the time that really passed, not the nominal interval", () => {
    const meter = createEnergyMeter(10_000, () => null);
    for (const [atMs, milliwatts] of [
      [0, 99_000],
      [1000, 10_000],
      [3500, 20_000],
    ] as const) {
      meter.add(sample(atMs, milliwatts));
    }
    expect(meter.take()).toMatchObject({ energyJ: 10 + 50, measuredMs: 3500, maxTemperatureC: null });
    expect(meter.totals()).toEqual({ idleJ: 0, activeJ: 0, unsplitJ: 60 });
  });

  test("a gap is neither zero nor bridged", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(0, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(60_000, 10_000));
    meter.add(sample(61_000, null));
    meter.add(sample(62_000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 20, measuredMs: 2000 });
  });

  test("a clock set back adds nothing", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(5000, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(2000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 10, measuredMs: 1000 });
  });

  test("each closing begins anew; the hottest reading and the mean load are of the minute", () => {
    const meter = createEnergyMeter(10_000, () => null);
    meter.add(sample(0, 1000, { junctionTemperatureC: 70, gpuUtilization: 0 }));
    meter.add(sample(1000, 1000, { junctionTemperatureC: 60, gpuUtilization: 0.2 }));
    meter.add(sample(4000, 1000, { junctionTemperatureC: 50, gpuUtilization: 1 }));
    expect(meter.take()).toMatchObject({ maxTemperatureC: 70, gpuUtilization: 0.8 });
    meter.add(sample(5000, 1000, { junctionTemperatureC: 40 }));
    expect(meter.take()).toMatchObject({ energyJ: 1, measuredMs: 1000, maxTemperatureC: 40, gpuUtilization: null });
    expect(meter.take()).toMatchObject({ energyJ: 0, measuredMs: 0, maxTemperatureC: null, gpuUtilization: null });
  });
});

const modes: PowerModeProfile[] = [
  { id: 0, name: "MAXN", capacityQps: null, busyWatts: null, idleWatts: null },
  { id: 1, name: "15W", capacityQps: null, busyWatts: null, idleWatts: null },
];

/** A board that records what is set and takes scripted results. */
function recordingControl() {
  const state = {
    modeId: 1 as number | null,
    sets: [] as number[],
    results: [] as SetModeResult[],
    rebootModes: new Set<number>(),
    modes,
  };
  const control: PowerControl = {
    modes: async () => state.modes.filter(({ id }) => !state.rebootModes.has(id)),
    currentMode: async () => modes.find(({ id }) => id === state.modeId) ?? null,
    async setMode(modeId) {
      state.sets.push(modeId);
      const result = state.results.shift() ?? { kind: "set" };
      if (result.kind === "set") state.modeId = modeId;
      if (result.kind === "reboot-required") state.rebootModes.add(modeId);
      return result;
    },
  };
  return { state, control };
}

describe("idle and active energy", () => {
  test("what the mode draws with nothing to do is idle, the rest active; a draw below it is all idle", () => {
    let idleWatts: number | null = 20;
    const meter = createEnergyMeter(10_000, () => idleWatts);
    for (const [atMs, milliwatts] of [
      [0, 0],
      [1000, 50_000],
      [3000, 15_000],
    ] as const)
      meter.add(sample(atMs, milliwatts));
    idleWatts = null;
    meter.add(sample(4000, 30_000));
    expect(meter.take()).toMatchObject({ idleJ: 20 + 30, activeJ: 30, unsplitJ: 30, energyJ: 110 });
  });

  test("gaps are counted: too far apart, or without a reading of power", () => {
    const meter = createEnergyMeter(10_000, () => 5);
    for (const [atMs, milliwatts] of [
      [0, 1000],
      [60_000, 1000],
      [61_000, null],
      [62_000, 1000],
    ] as const)
      meter.add(sample(atMs, milliwatts));
    expect(meter.gapMs()).toBe(61_000);
  });

  test("a square wave of power is integrated within 0.5 %, also when readings come unevenly", () => {
    const meter = createEnergyMeter(10_000, () => 20);
    const wattsAt = (ms: number) => (ms % 7000 < 3000 ? 80 : 20);
    let ms = 0;
    // Readings 900 to 1,100 ms apart, in an order that repeats nowhere near the wave's period.
    for (let index = 0; ms < 7_000_000; index += 1) {
      ms += 900 + ((index * 73) % 201);
      meter.add(sample(ms, wattsAt(ms) * 1000));
    }
    const { energyJ, activeJ, measuredMs } = meter.take();
    const expectedJ = ((80 * 3 + 20 * 4) / 7) * (measuredMs / 1000);
    expect(Math.abs(energyJ / expectedJ - 1)).toBeLessThan(0.005);
    expect(Math.abs(activeJ / (((60 * 3) / 7) * (measuredMs / 1000)) - 1)).toBeLessThan(0.01);
  });
});

describe("whose energy it is", () => {
  const minute = (
    models: readonly (readonly [model: string, computeMs: number, requests: number])[],
  ): MinuteTraffic => ({
    minuteStartMs: 0,
    observedMs: 60_000,
    errors: 0,
    rejected: 0,
    models: models.map(([model, computeMs, requests]) => ({
      model,
      requests,
      texts: requests,
      tokens: 0,
      computeMs,
      latencyCounts: emptyLatencyCounts(),
    })),
  });

  test.each([
    [
      "by compute time",
      100,
      [
        ["a", 300, 1],
        ["b", 100, 9],
      ],
      { a: 75, b: 25 },
    ],
    [
      "answers from the cache use no energy",
      100,
      [
        ["a", 300, 1],
        ["b", 0, 9],
      ],
      { a: 100 },
    ],
    ["nobody computed", 100, [["a", 0, 1]], {}],
    ["no request", 100, [], {}],
    ["nothing active", 0, [["a", 300, 1]], { a: 0 }],
    ["a compute time that is no number", 100, [["a", Number.NaN, 1]], {}],
  ] as const)("%s", (_, activeJ, models, expected) => {
    const parts = attributeEnergy(activeJ, minute(models).models);
    expect(Object.fromEntries(parts.map(({ model, energyJ }) => [model, energyJ]))).toEqual(expected);
  });

  test("joules per 1,000 requests are of fully measured minutes only", () => {
    const account = createEnergyAccount();
    const measured = { idleJ: 60, activeJ: 40, unsplitJ: 0, energyJ: 100, maxTemperatureC: null, gpuUtilization: null };
    expect(account.recent().joulesPer1000Requests).toBeNull();
    account.enter({ ...measured, measuredMs: 60_000 }, [minute([["a", 10, 50]])]);
    account.enter({ ...measured, measuredMs: 30_000 }, [minute([["a", 10, 5000]])]);
    expect(account.recent()).toEqual({ requests: 50, energyJ: 100, joulesPer1000Requests: 2000 });
    expect(account.attributed()).toEqual([{ model: "a", tenant: "default", energyJ: 80 }]);
  });
});

describe("power governor", () => {
  const busy: PowerCircumstances = {
    forecast: null,
    forecastUpperQps: null,
    liveQps: 999,
    role: "active",
    servingForMs: null,
    desiredMode: null,
    desiredModeCap: null,
    desiredModeUntilMs: null,
    desiredModeCapUntilMs: null,
    temperatureC: 40,
    nowMs: 1_000_000_000,
  };
  const quiet = { ...busy, liveQps: 1 };
  let board: ReturnType<typeof recordingControl>;
  let governor: ReturnType<typeof createPowerGovernor>;
  beforeEach(async () => {
    board = recordingControl();
    governor = createPowerGovernor(
      board.control,
      parseConfig(PowerPolicy, {}, "test"),
      silent,
      createPowerFaults(silent, Date.now),
    );
    await governor.start();
  });

  test("sets what is decided, once", async () => {
    await governor.evaluate(busy);
    await governor.evaluate(busy);
    expect(board.state.sets).toEqual([0]);
    expect(governor.currentMode()?.name).toBe("MAXN");
    expect(governor.switches).toBe(1);
    expect(governor.lastDecision?.kind).toBe("hold");
  });

  test("of evaluations that come together each sees what the one before did", async () => {
    await Promise.all([governor.evaluate(busy), governor.evaluate(busy), governor.evaluate(quiet)]);
    expect(board.state.sets).toEqual([0]);
    expect(governor.lastDecision?.reason).toMatch(/held for 300 s/);
  });

  test("a failure is kept and shown, tried again after a while, and forgotten once it works", async () => {
    board.state.results.push({ kind: "failed", reason: "not permitted" }, { kind: "failed", reason: "not permitted" });
    await governor.evaluate(busy);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 29_999 });
    expect(board.state.sets).toEqual([0]);
    expect(governor.lastFailure?.reason).toBe("not permitted");
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 30_000 });
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 80_000 });
    expect(board.state.sets).toEqual([0, 0]);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 95_000 });
    expect(board.state.sets).toEqual([0, 0, 0]);
    expect(governor.lastFailure).toBeNull();
    expect(governor.switches).toBe(1);
  });

  test("a mode that needs a reboot is out of the choice from then on", async () => {
    board.state.results.push({ kind: "reboot-required", reason: "needs a reboot" });
    await governor.evaluate(busy);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 3_600_000 });
    expect(board.state.sets).toEqual([0]);
    expect(governor.profile().map(({ name }) => name)).toEqual(["15W"]);
  });

  test("a mode that somebody set by hand meanwhile is noticed before acting", async () => {
    board.state.modeId = 0;
    await governor.evaluate(busy);
    expect(board.state.sets).toEqual([]);
    expect(governor.currentMode()?.name).toBe("MAXN");
  });

  test("a mode that somebody set by hand while nothing was to be changed is noticed within a minute and set right", async () => {
    await governor.evaluate(busy);
    board.state.modeId = 1;
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 59_999 });
    expect(board.state.sets).toEqual([0]);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 60_000 });
    expect(board.state.sets).toEqual([0, 0]);
    expect(governor.currentMode()?.name).toBe("MAXN");
  });

  test("a board that for once does not say which mode it is in is taken to be in the one it was", async () => {
    await governor.evaluate(busy);
    board.state.modeId = null;
    await governor.evaluate({ ...quiet, nowMs: busy.nowMs + 60_000 });
    expect(board.state.sets).toEqual([0]);
    expect(governor.lastDecision?.reason).toMatch(/held for 300 s/);
  });

  test("a list of modes that an update changed is taken in within a minute, also while nothing is to be changed; one that can't be read is not", async () => {
    await governor.evaluate(quiet);
    board.state.modes = [modes[0] as PowerModeProfile, { ...(modes[1] as PowerModeProfile), id: 5, name: "10W" }];
    await governor.evaluate({ ...quiet, nowMs: quiet.nowMs + 60_000 });
    expect(governor.profile().map(({ name }) => name)).toEqual(["MAXN", "10W"]);
    expect(board.state.sets).toEqual([5]);
    const listed = board.state.modes;
    board.state.modes = [];
    await governor.evaluate({ ...quiet, nowMs: quiet.nowMs + 120_000 });
    expect(governor.profile().map(({ name }) => name)).toEqual(listed.map(({ name }) => name));
    expect(governor.lastDecision?.kind).toBe("hold");
  });

  test("a list of modes that an update changed is taken in before acting, and decided on anew", async () => {
    await governor.evaluate({ ...quiet, nowMs: busy.nowMs - 1000 });
    board.state.modes = [{ ...(modes[0] as PowerModeProfile), id: 7 }, modes[1] as PowerModeProfile];
    await governor.evaluate(busy);
    expect(board.state.sets).toEqual([]);
    expect(governor.profile().map(({ id }) => id)).toEqual([7, 1]);
    expect(governor.lastFailure).toBeNull();
    board.state.modes = governor.profile().map((mode) => ({ ...mode }));
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 15_000 });
    expect(board.state.sets).toEqual([7]);
  });
});
