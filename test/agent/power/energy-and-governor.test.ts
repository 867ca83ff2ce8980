import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import type { PowerControl, PowerSample, SetModeResult } from "#agent/power/device.ts";
import { createEnergyMeter } from "#agent/power/energy-meter.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { createPowerGovernor, type PowerCircumstances } from "#agent/power/power-governor.ts";
import { parseConfig } from "#platform/read-config.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

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
    const meter = createEnergyMeter(10_000);
    for (const [atMs, milliwatts] of [
      [0, 99_000],
      [1000, 10_000],
      [3500, 20_000],
    ] as const) {
      meter.add(sample(atMs, milliwatts));
    }
    expect(meter.take()).toEqual({ energyJ: 10 + 50, measuredMs: 3500, maxTemperatureC: null, gpuUtilization: null });
    expect(meter.totalJ()).toBe(60);
  });

  test("a gap is neither zero nor bridged", () => {
    const meter = createEnergyMeter(10_000);
    meter.add(sample(0, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(60_000, 10_000));
    meter.add(sample(61_000, null));
    meter.add(sample(62_000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 20, measuredMs: 2000 });
  });

  test("a clock set back adds nothing", () => {
    const meter = createEnergyMeter(10_000);
    meter.add(sample(5000, 10_000));
    meter.add(sample(1000, 10_000));
    meter.add(sample(2000, 10_000));
    expect(meter.take()).toMatchObject({ energyJ: 10, measuredMs: 1000 });
  });

  test("each closing begins anew; the hottest reading and the mean load are of the minute", () => {
    const meter = createEnergyMeter(10_000);
    meter.add(sample(0, 1000, { junctionTemperatureC: 70, gpuUtilization: 0 }));
    meter.add(sample(1000, 1000, { junctionTemperatureC: 60, gpuUtilization: 0.2 }));
    meter.add(sample(4000, 1000, { junctionTemperatureC: 50, gpuUtilization: 1 }));
    expect(meter.take()).toMatchObject({ maxTemperatureC: 70, gpuUtilization: 0.8 });
    meter.add(sample(5000, 1000, { junctionTemperatureC: 40 }));
    expect(meter.take()).toEqual({ energyJ: 1, measuredMs: 1000, maxTemperatureC: 40, gpuUtilization: null });
    expect(meter.take()).toEqual({ energyJ: 0, measuredMs: 0, maxTemperatureC: null, gpuUtilization: null });
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

describe("power governor", () => {
  const busy: PowerCircumstances = {
    forecast: null,
    liveQps: 999,
    role: "active",
    desiredMode: null,
    desiredModeUntilMs: null,
    temperatureC: 40,
    nowMs: 1_000_000_000,
  };
  const quiet = { ...busy, liveQps: 1 };
  let board: ReturnType<typeof recordingControl>;
  let governor: ReturnType<typeof createPowerGovernor>;
  beforeEach(async () => {
    board = recordingControl();
    governor = createPowerGovernor(board.control, parseConfig(PowerPolicy, {}, "test"), pino({ level: "silent" }));
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

  test("a list of modes that an update changed is taken in before acting, and decided on anew", async () => {
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
