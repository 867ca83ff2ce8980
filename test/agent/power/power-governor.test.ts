import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import type { PowerControl } from "#agent/power/device/device.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { createPowerFaults } from "#agent/power/power-faults.ts";
import { type PowerCircumstances, PowerGovernor } from "#agent/power/power-governor.ts";
import { SloConfig } from "#agent/slo-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { hourMs } from "#platform/time.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { createRecordingBoard } from "../../fakes/recording-board.ts";

const silent = pino({ level: "silent" });

const slo = parseConfig(SloConfig, {}, "test");

const modes: PowerModeProfile[] = [
  { id: 0, name: "MAXN", capacityQps: null, busyWatts: null, idleWatts: null },
  { id: 1, name: "15W", capacityQps: null, busyWatts: null, idleWatts: null },
];

function createGovernor(control: PowerControl, policy: object = {}, log = silent): PowerGovernor {
  return new PowerGovernor({
    control,
    policy: parseConfig(PowerPolicy, policy, "test"),
    slo,
    log,
    faults: createPowerFaults(log, () => 0),
    applyFigures: (listed) => listed,
  });
}

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
    felt: null,
    nowMs: 1_000_000_000,
  };
  const quiet = { ...busy, liveQps: 1 };
  let board: ReturnType<typeof createRecordingBoard>;
  let governor: PowerGovernor;
  beforeEach(async () => {
    board = createRecordingBoard(modes);
    governor = createGovernor(board.control);
    await governor.start();
  });

  describe("what users feel", () => {
    const well = { requests: 100, refused: 0, p95Ms: 20 };
    const refusing = { requests: 50, refused: 50, p95Ms: 20 };
    const minuteMs = 60_000;
    beforeEach(async () => {
      governor = createGovernor(board.control, { minDwellS: 30 });
      await governor.start();
    });
    const at = (minutes: number, felt: PowerCircumstances["felt"], liveQps = 1) =>
      governor.evaluate({ ...busy, liveQps, felt, nowMs: busy.nowMs + minutes * minuteMs });

    test("a step down that costs the SLO is taken back, held off, and made again later", async () => {
      await at(0, well, 999);
      await at(10, well);
      expect(board.state.sets).toEqual([0, 1]);
      await at(11, refusing);
      expect(board.state.sets).toEqual([0, 1, 0]);
      expect(governor.lastDecision).toMatchObject({ rule: "step-down-failed", mode: "MAXN" });
      expect(governor.failedStepDowns).toEqual({ count: 1, heldOffUntilMs: busy.nowMs + 21 * minuteMs });
      await at(12, well);
      expect(governor.lastDecision?.rule).toBe("slo-missed-lately");
      await at(16, well);
      expect(governor.lastDecision?.rule).toBe("held-off");
      await at(20.9, well);
      expect(board.state.sets).toEqual([0, 1, 0]);
      await at(21, well);
      expect(board.state.sets).toEqual([0, 1, 0, 1]);
      // The second time it is held off for twice as long.
      await at(22, refusing);
      expect(governor.failedStepDowns).toEqual({ count: 2, heldOffUntilMs: busy.nowMs + 42 * minuteMs });
    });

    test("an SLO that is missed long after a step down takes the next more capable mode, and holds nothing off", async () => {
      await at(0, well, 999);
      await at(10, well);
      await at(21, well);
      await at(22, refusing);
      expect(board.state.sets).toEqual([0, 1, 0]);
      expect(governor.lastDecision?.rule).toBe("slo-missed");
      expect(governor.failedStepDowns).toEqual({ count: 0, heldOffUntilMs: null });
      await at(26.9, well);
      expect(board.state.sets).toEqual([0, 1, 0]);
      await at(28, well);
      expect(board.state.sets).toEqual([0, 1, 0, 1]);
    });

    test("a mode that can't be set is no step down", async () => {
      await at(0, well, 999);
      board.state.results.push({ kind: "failed", reason: "not permitted" });
      await at(10, well);
      await at(11, refusing);
      expect(governor.lastDecision?.rule).toBe("slo-missed");
      expect(governor.failedStepDowns.count).toBe(0);
    });
  });

  test("sets what is decided, once", async () => {
    await governor.evaluate(busy);
    await governor.evaluate(busy);
    expect(board.state.sets).toEqual([0]);
    expect(governor.currentMode?.name).toBe("MAXN");
    expect(governor.switches).toBe(1);
    expect(governor.lastDecision?.kind).toBe("hold");
  });

  test("of evaluations that come together each sees what the one before did", async () => {
    await Promise.all([governor.evaluate(busy), governor.evaluate(busy), governor.evaluate(quiet)]);
    expect(board.state.sets).toEqual([0]);
    expect(governor.lastDecision).toMatchObject({ rule: "dwell", dwellMs: 300_000 });
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

  describe("a board whose best mode can't be entered", () => {
    const four: PowerModeProfile[] = ["MAXN", "25W", "15W", "10W"].map((name, id) => ({
      ...(modes[0] as PowerModeProfile),
      id,
      name,
    }));
    const failing = { kind: "failed", reason: "nvpmodel exited with 255" } as const;
    const at = (afterMs: number, change: Partial<PowerCircumstances> = {}) =>
      governor.evaluate({ ...busy, nowMs: busy.nowMs + afterMs, ...change });
    const begin = async (policy: object) => {
      board = createRecordingBoard(four);
      governor = createGovernor(
        {
          ...board.control,
          async setMode(id) {
            if (id !== 0) return await board.control.setMode(id);
            board.state.sets.push(id);
            return failing;
          },
        },
        policy,
      );
      await governor.start();
    };

    test.each([
      ["configured", { kind: "fixed", fixedMode: "MAXN" }, {}],
      ["held by the controller", { kind: "fixed", fixedMode: "10W" }, { desiredMode: "MAXN" }],
      ["needed by demand", { kind: "threshold" }, {}],
    ] as [string, object, Partial<PowerCircumstances>][])(
      "%s: the next best within two evaluations, the best again later",
      async (_name, policy, change) => {
        await begin(policy);
        await at(0, change);
        await at(15_000, change);
        expect(board.state.sets).toEqual([0, 1]);
        expect(governor.currentMode?.name).toBe("25W");
        expect(governor.lastDecision?.reason).toContain("MAXN can't be entered (nvpmodel exited with 255)");
        expect(governor.lastFailure).toMatchObject({ modeId: 0 });
        await at(29_999, change);
        expect(board.state.sets).toEqual([0, 1]);
        // Tried again after 30 s, then after another 60 s.
        for (const afterMs of [30_000, 45_000, 89_999, 90_000]) await at(afterMs, change);
        expect(board.state.sets).toEqual([0, 1, 0, 0]);
        expect(governor.currentMode?.name).toBe("25W");
      },
    );
  });

  test("a mode that was set though the board failed to say so is in force; no other is tried", async () => {
    let isMute = false;
    const control: PowerControl = {
      ...board.control,
      currentMode: async () => (isMute ? null : await board.control.currentMode()),
      async setMode(id) {
        await board.control.setMode(id);
        isMute = true;
        return { kind: "failed", reason: "the mode was set, but the present mode can't be read" };
      },
    };
    const faults = createPowerFaults(silent, () => 0);
    governor = new PowerGovernor({
      ...{ control, slo, log: silent, faults, applyFigures: (listed: readonly PowerModeProfile[]) => listed },
      policy: parseConfig(PowerPolicy, {}, "test"),
    });
    await governor.start();
    await governor.evaluate(busy);
    expect(faults.list().map(({ fault }) => fault)).toEqual(["mode-set"]);
    isMute = false;
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 15_000 });
    expect(board.state.sets).toEqual([0]);
    expect(governor.currentMode?.name).toBe("MAXN");
    expect(faults.list()).toEqual([]);
    expect(governor.lastFailure).toBeNull();
  });

  test("once all other modes need a reboot the board is well where it is, with a note", async () => {
    const faults = createPowerFaults(silent, () => 0);
    board.state.results.push({ kind: "reboot-required", reason: "needs a reboot" });
    governor = new PowerGovernor({
      ...{
        control: board.control,
        slo,
        log: silent,
        faults,
        applyFigures: (listed: readonly PowerModeProfile[]) => listed,
      },
      policy: parseConfig(PowerPolicy, {}, "test"),
    });
    await governor.start();
    await governor.evaluate(busy);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 15_000 });
    expect(faults.list()).toEqual([]);
    expect(governor.modesBehindReboot).toEqual(["MAXN"]);
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
    expect(governor.currentMode?.name).toBe("MAXN");
  });

  test("a mode that is set by hand within the minute is noticed before acting as well", async () => {
    await governor.evaluate(quiet);
    board.state.modeId = 0;
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 15_000 });
    expect(board.state.sets).toEqual([]);
    expect(governor.currentMode?.name).toBe("MAXN");
  });

  test("a mode that somebody set by hand while nothing was to be changed is noticed within a minute and set right", async () => {
    await governor.evaluate(busy);
    board.state.modeId = 1;
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 59_999 });
    expect(board.state.sets).toEqual([0]);
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 60_000 });
    expect(board.state.sets).toEqual([0, 0]);
    expect(governor.currentMode?.name).toBe("MAXN");
  });

  test("a board that for once does not say which mode it is in is taken to be in the one it was", async () => {
    await governor.evaluate(busy);
    board.state.modeId = null;
    await governor.evaluate({ ...quiet, nowMs: busy.nowMs + 60_000 });
    expect(board.state.sets).toEqual([0]);
    expect(governor.lastDecision).toMatchObject({ rule: "dwell", dwellMs: 300_000 });
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

  test("start learns the modes and the present mode, and measured figures take the place of the board's", async () => {
    const figured = new PowerGovernor({
      control: board.control,
      policy: parseConfig(PowerPolicy, {}, "test"),
      slo,
      log: silent,
      faults: createPowerFaults(silent, () => 0),
      applyFigures: (listed) => listed.map((mode) => ({ ...mode, capacityQps: 10 })),
    });
    await figured.start();
    expect(figured.currentMode).toMatchObject({ id: 1, name: "15W" });
    expect(figured.profile().map(({ capacityQps }) => capacityQps)).toEqual([10, 10]);
    expect(figured.lastDecision).toBeNull();
  });

  test("a board that lists its modes late is in use as soon as it does", async () => {
    board.state.modes = [];
    governor = createGovernor(board.control);
    await governor.start();
    await governor.evaluate(busy);
    expect(governor.lastDecision?.kind).toBe("none");
    board.state.modes = modes;
    await governor.evaluate({ ...busy, nowMs: busy.nowMs + 15_000 });
    expect(board.state.sets).toEqual([0]);
  });

  test("the forecast counts as well as the live rate", async () => {
    const forecast = { madeAtMs: 0, model: "m", reason: "", stepMs: 60_000, qps: [10, 500, 20] };
    await governor.evaluate({ ...quiet, forecast });
    expect(governor.lastDecision).toMatchObject({ rule: "needs", demand: { source: "forecast", qps: 500 } });
  });

  test("circumstances reach the decision: role, time in service, a held mode and a cap until they end", async () => {
    const nowMs = busy.nowMs;
    await governor.evaluate({ ...busy, role: "standby" });
    expect(governor.lastDecision).toMatchObject({ rule: "standby" });
    await governor.evaluate({ ...quiet, servingForMs: 0 });
    expect(governor.lastDecision).toMatchObject({ rule: "service-started" });
    await governor.evaluate({ ...busy, desiredMode: "15W", desiredModeUntilMs: nowMs + 1 });
    expect(governor.lastDecision).toMatchObject({ rule: "held", reason: "15W is held by the controller" });
    await governor.evaluate({ ...busy, desiredMode: "15W", desiredModeUntilMs: nowMs });
    expect(governor.lastDecision).toMatchObject({ rule: "needs", mode: "MAXN" });
    await governor.evaluate({ ...busy, desiredModeCap: "15W", desiredModeCapUntilMs: nowMs + 1 });
    expect(governor.lastDecision).toMatchObject({ cap: { by: "controller", mode: "15W" } });
    await governor.evaluate({ ...busy, desiredModeCap: "15W", desiredModeCapUntilMs: nowMs });
    expect(governor.lastDecision).toMatchObject({ cap: null });
  });

  test("heat moves the cap by one mode a minute, and the cap lasts until it is cool", async () => {
    const three = ["A", "B", "C"].map((name, id) => ({ ...(modes[0] as PowerModeProfile), id, name }));
    board.state.modes = three;
    governor = createGovernor({ ...board.control, currentMode: async () => ({ id: 0, name: "A" }) });
    await governor.start();
    const at = async (afterMs: number, temperatureC: number | null) => {
      await governor.evaluate({ ...busy, temperatureC, nowMs: busy.nowMs + afterMs });
      return governor.lastDecision?.thermalCap;
    };
    expect(await at(0, 95)).toBe(1);
    expect(await at(59_999, 95)).toBe(1);
    expect(await at(60_000, 95)).toBe(2);
    expect(await at(119_999, 20)).toBe(2);
    expect(await at(120_000, 88)).toBe(2);
    expect(await at(130_000, null)).toBe(2);
    expect(await at(140_000, 20)).toBe(1);
    expect(await at(200_000, 20)).toBe(0);
  });

  describe("on a board with known figures", () => {
    const known: PowerModeProfile[] = [
      { id: 0, name: "MAXN", capacityQps: 1000, busyWatts: 100, idleWatts: 50 },
      { id: 1, name: "15W", capacityQps: 100, busyWatts: 15, idleWatts: 5 },
    ];
    const at = async (hours: number, liveQps: number) => {
      await governor.evaluate({ ...busy, liveQps, nowMs: busy.nowMs + hours * hourMs });
      return governor.lastDecision;
    };
    beforeEach(async () => {
      board.state.modes = known;
      governor = createGovernor(board.control, { mostSwitchesPerDay: 4 });
      await governor.start();
    });

    test("every switch of the last day is counted: none is made only to save once they are used up", async () => {
      await at(0, 500);
      await at(1, 10);
      await at(2, 500);
      expect(governor.switches).toBe(3);
      expect(await at(3, 10)).toMatchObject({ kind: "hold", rule: "no-switches-left", switchesInLastDay: 3 });
      // A day after the first switch there are two left again.
      expect(await at(24 - 1e-6, 10)).toMatchObject({ rule: "no-switches-left", switchesInLastDay: 3 });
      expect(await at(24, 10)).toMatchObject({ kind: "switch", rule: "carries", mode: "15W" });
    });

    test("switches of a time that is still to come, by a clock set back, are not counted", async () => {
      await at(10, 500);
      await at(11, 10);
      await at(12, 500);
      expect(await at(11.5, 10)).toMatchObject({ rule: "dwell" });
      expect(await at(9, 500)).toMatchObject({ kind: "hold" });
      expect(await at(12.5, 10)).toMatchObject({ kind: "switch" });
    });
  });

  describe("what is said of it", () => {
    const logged: Record<string, unknown>[] = [];
    const log = pino({ level: "info" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
    const faults = createPowerFaults(silent, () => 7);
    beforeEach(async () => {
      logged.length = 0;
      const policy = parseConfig(PowerPolicy, {}, "test");
      governor = new PowerGovernor({
        control: board.control,
        policy,
        slo,
        log,
        faults,
        applyFigures: (listed) => listed,
      });
      await governor.start();
    });

    test("a switch is logged with its reason", async () => {
      await governor.evaluate(busy);
      expect(logged).toEqual([
        expect.objectContaining({
          from: "15W",
          to: "MAXN",
          reason: "the live rate of 999 qps (no forecast available) needs MAXN",
          msg: "power mode set",
        }),
      ]);
    });

    test("a switch from an unknown mode is logged as one from null", async () => {
      board.state.modeId = null;
      governor = createGovernor(board.control, {}, log);
      await governor.start();
      await governor.evaluate(busy);
      expect(logged[0]).toMatchObject({ from: null, to: "MAXN" });
    });

    test("a mode that changed from outside is logged, one that did not is not", async () => {
      await governor.evaluate(quiet);
      await governor.evaluate({ ...quiet, nowMs: quiet.nowMs + 60_000 });
      expect(logged).toEqual([]);
      board.state.modeId = 0;
      await governor.evaluate({ ...quiet, nowMs: quiet.nowMs + 120_000 });
      expect(logged[0]).toMatchObject({ from: "15W", to: "MAXN", msg: "the power mode was changed from outside" });
      expect(governor.currentMode?.name).toBe("15W");
    });

    test("a failure is a fault until a mode is set; the waits between attempts double, and begin anew after a success", async () => {
      const failed = { kind: "failed", reason: "not permitted" } as const;
      board.state.results.push(failed, failed, { kind: "set" }, failed);
      const at = (afterMs: number, circumstances = busy) =>
        governor.evaluate({ ...circumstances, nowMs: busy.nowMs + afterMs });
      await at(0);
      expect(faults.list()).toEqual([{ fault: "mode-set", reason: "not permitted", sinceMs: 7 }]);
      expect(governor.lastFailure).toEqual({ atMs: busy.nowMs, modeId: 0, reason: "not permitted" });
      await at(30_000);
      await at(89_999);
      expect(board.state.sets).toEqual([0, 0]);
      await at(90_000);
      expect(faults.list()).toEqual([]);
      await at(1_000_000, quiet);
      expect(governor.lastFailure?.modeId).toBe(1);
      await at(1_029_999, quiet);
      await at(1_030_000, quiet);
      expect(board.state.sets).toEqual([0, 0, 0, 1, 1]);
    });

    test("after a failure the board is asked for its mode: a failed attempt may have changed it", async () => {
      board.state.results.push({ kind: "failed", reason: "late" });
      const control: PowerControl = {
        ...board.control,
        async setMode(modeId) {
          const result = await board.control.setMode(modeId);
          board.state.modeId = modeId;
          return result;
        },
      };
      governor = createGovernor(control);
      await governor.start();
      await governor.evaluate(busy);
      expect(governor.currentMode?.name).toBe("MAXN");
    });

    test("a mode that needs a reboot leaves the list at once", async () => {
      board.state.results.push({ kind: "reboot-required", reason: "needs a reboot" });
      await governor.evaluate(busy);
      expect(governor.profile().map(({ name }) => name)).toEqual(["15W"]);
      expect(faults.list()).toMatchObject([{ fault: "mode-set", reason: "needs a reboot" }]);
    });
  });
});
