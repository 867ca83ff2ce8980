import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createBoardFigures } from "#agent/power/calibration/board-figures.ts";
import {
  applyCalibration,
  type BoardProfile,
  type Calibration,
  calibrationFor,
  withCalibration,
} from "#agent/power/calibration/board-profile.ts";
import {
  correctionBounds,
  correctMode,
  decideCorrection,
  type ModeCorrection,
  type ObservedMinute,
  uncorrected,
} from "#agent/power/calibration/decide-correction.ts";
import { profileFileName, sweepFileName, writeWhole } from "#agent/power/calibration/profile-file.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

const measured = (id: number, name: string, capacityQps: number, busyWatts: number | null = 50) => ({
  id,
  name,
  capacityQps,
  p95Ms: 20,
  busyWatts,
  idleWatts: busyWatts === null ? null : 10,
  maxTemperatureC: null,
  measuredAtMs: 5,
});
const calibration = (change: Partial<Calibration> = {}): Calibration => ({
  model: "mini",
  texts: "mixed",
  targetP95Ms: 50,
  finishedAtMs: 10,
  program: "test",
  modes: [measured(0, "MAXN", 300), measured(1, "15W", 120)],
  ...change,
});
const profile = (...calibrations: Calibration[]): BoardProfile => ({ version: 1, board: "a board", calibrations });
const bare = (id: number, name: string): PowerModeProfile => ({
  id,
  name,
  capacityQps: null,
  busyWatts: null,
  idleWatts: null,
});

describe("which calibration counts", () => {
  test.each([
    ["none of this model", profile(calibration({ model: "other" })), null],
    ["no profile", null, null],
    [
      "mixed texts before a newer one of short texts",
      profile(calibration(), calibration({ texts: "short", finishedAtMs: 99 })),
      10,
    ],
    ["else the newest", profile(calibration({ texts: "long" }), calibration({ texts: "short", finishedAtMs: 99 })), 99],
  ] as const)("%s", (_, given, finishedAtMs) => {
    expect(calibrationFor(given, "mini")?.finishedAtMs ?? null).toBe(finishedAtMs);
  });

  test("a new one takes the place of the old one of the same model and texts", () => {
    const after = withCalibration(
      profile(calibration(), calibration({ texts: "long" })),
      calibration({ finishedAtMs: 77 }),
    );
    expect(after.calibrations.map(({ texts, finishedAtMs }) => [texts, finishedAtMs])).toEqual([
      ["long", 10],
      ["mixed", 77],
    ]);
  });
});

describe("a board's modes with their calibration", () => {
  test("measured figures take the place of the board's; the most capable comes first", () => {
    const modes = applyCalibration(
      [bare(1, "15W"), { ...bare(0, "MAXN"), capacityQps: 1, busyWatts: 1, idleWatts: 1 }],
      calibration(),
    );
    expect(modes).toEqual([
      { id: 0, name: "MAXN", capacityQps: 300, busyWatts: 50, idleWatts: 10 },
      { id: 1, name: "15W", capacityQps: 120, busyWatts: 50, idleWatts: 10 },
    ]);
  });

  test("a mode that was not measured, or is called otherwise now, keeps its figures and its place", () => {
    const modes = [bare(1, "15W"), bare(0, "MAXN_SUPER")];
    expect(applyCalibration(modes, calibration())).toEqual([
      { ...bare(1, "15W"), capacityQps: 120, busyWatts: 50, idleWatts: 10 },
      bare(0, "MAXN_SUPER"),
    ]);
  });

  test("a board that doesn't tell its power has its capacities at least", () => {
    const [mode] = applyCalibration([bare(0, "MAXN")], calibration({ modes: [measured(0, "MAXN", 300, null)] }));
    expect(mode).toEqual({ ...bare(0, "MAXN"), capacityQps: 300 });
  });
});

describe("corrections in service", () => {
  const mode: PowerModeProfile = { id: 0, name: "MAXN", capacityQps: 100, busyWatts: 50, idleWatts: 10 };
  const minute = (change: Partial<ObservedMinute>): ObservedMinute => ({
    qps: 80,
    requests: 4800,
    p95Ms: 20,
    meanWatts: null,
    ...change,
  });
  const after = (change: Partial<ObservedMinute>, times = 1, before: ModeCorrection = uncorrected) => {
    let correction = before;
    for (let index = 0; index < times; index += 1) correction = decideCorrection(mode, correction, minute(change), 50);
    return correction;
  };

  test.each([
    ["in time below the capacity: as expected", {}, uncorrected],
    ["in time above it: more than was thought", { qps: 160 }, { ...uncorrected, capacity: 1 + 0.3 / 60 }],
    ["late below it: less", { qps: 70, p95Ms: 90 }, { ...uncorrected, capacity: 1 - 0.3 / 60 }],
    ["late far below it: something else was slow", { qps: 40, p95Ms: 900 }, uncorrected],
    ["late above it: as expected", { qps: 130, p95Ms: 900 }, uncorrected],
    ["late at half of it: less", { qps: 50, p95Ms: 51 }, { ...uncorrected, capacity: 1 - 0.3 / 60 }],
    ["in time at exactly the target", { qps: 160, p95Ms: 50 }, { ...uncorrected, capacity: 1 + 0.3 / 60 }],
    ["at exactly the capacity, late or in time: as expected", { qps: 100, p95Ms: 90 }, uncorrected],
    ["a rate without a p95 is no evidence", { qps: 160, p95Ms: null }, uncorrected],
    ["few requests are chance", { qps: 70, p95Ms: 90, requests: 99 }, uncorrected],
    ["100 are enough", { qps: 70, p95Ms: 90, requests: 100 }, { ...uncorrected, capacity: 1 - 0.3 / 60 }],
    [
      "an idle minute speaks of the idle draw",
      { qps: 0, requests: 0, p95Ms: null, meanWatts: 11 },
      { ...uncorrected, idleWatts: 1 + 0.1 / 60 },
    ],
    ["a busy one of the busy draw", { qps: 50, meanWatts: 32 }, { ...uncorrected, busyWatts: 1 + (54 / 50 - 1) / 60 }],
    ["at 2 % utilisation still the idle draw", { qps: 2, meanWatts: 11 }, { ...uncorrected, idleWatts: 1 + 0.1 / 60 }],
    ["from 30 % on the busy draw", { qps: 30, meanWatts: 25 }, { ...uncorrected, busyWatts: 1 + 0.2 / 60 }],
    [
      "beyond capacity the board is busy all the time",
      { qps: 200, p95Ms: 90, meanWatts: 55 },
      { ...uncorrected, busyWatts: 1 + 0.1 / 60 },
    ],
    ["in between neither", { qps: 10, meanWatts: 99 }, uncorrected],
    ["watts of zero are no reading", { qps: 0, requests: 0, p95Ms: null, meanWatts: 0 }, uncorrected],
    ["a rate that is no number", { qps: Number.NaN, meanWatts: 30 }, uncorrected],
    ["watts that are no number", { qps: 80, meanWatts: Number.NaN }, uncorrected],
    [
      "watts without end: as far as a factor may go",
      { qps: 80, meanWatts: Number.POSITIVE_INFINITY },
      { ...uncorrected, busyWatts: 1 + 0.3 / 60 },
    ],
  ] as const)("%s", (_, change, expected) => {
    const found = after(change);
    for (const key of ["capacity", "busyWatts", "idleWatts"] as const) expect(found[key]).toBeCloseTo(expected[key], 9);
  });

  test("slowly: half of a lasting change in some 40 minutes; and never beyond the bounds", () => {
    expect(after({ qps: 50, meanWatts: 34 }, 42).busyWatts).toBeCloseTo(1 + (58 / 50 - 1) / 2, 2);
    expect(after({ qps: 1000 }, 10_000).capacity).toBeLessThanOrEqual(correctionBounds.highest);
    expect(after({ qps: 90, meanWatts: 1000 }, 10_000).busyWatts).toBeCloseTo(correctionBounds.highest, 6);
    expect(after({ qps: 90, meanWatts: 1 }, 10_000).busyWatts).toBeCloseTo(correctionBounds.lowest, 6);
  });

  test("the busy draw is told with the corrected idle draw, and both by the corrected capacity", () => {
    const before = { capacity: 0.8, busyWatts: 1, idleWatts: 1.2 };
    const found = decideCorrection(mode, before, minute({ qps: 40, meanWatts: 36 }), 50);
    expect(found).toEqual({ ...before, busyWatts: expect.closeTo(1 + 0.2 / 60, 9) });
  });

  test.each([
    ["idle", { idleWatts: null }, { qps: 0, meanWatts: 11 }],
    ["idle, when busy", { idleWatts: null }, { qps: 80, meanWatts: 40 }],
    ["busy", { busyWatts: null }, { qps: 80, meanWatts: 40 }],
    ["busy of zero", { busyWatts: 0 }, { qps: 80, meanWatts: 40 }],
  ])("without a figure of %s watts there is nothing to correct", (_, change, observed) => {
    expect(decideCorrection({ ...mode, ...change }, uncorrected, minute(observed), 50)).toEqual(uncorrected);
  });

  test("a corrected mode has its figures times the factors; unknown ones stay unknown", () => {
    const factors = { capacity: 0.9, busyWatts: 1.1, idleWatts: 1.2 };
    expect(correctMode(mode, factors)).toEqual({
      ...mode,
      capacityQps: 90,
      busyWatts: expect.closeTo(55, 9),
      idleWatts: 12,
    });
    expect(correctMode(bare(0, "MAXN"), factors)).toEqual(bare(0, "MAXN"));
  });

  test.each([null, 0])("a mode with a capacity of %p has nothing to correct", (capacityQps) => {
    expect(decideCorrection({ ...mode, capacityQps }, uncorrected, minute({}), 50)).toEqual(uncorrected);
  });
});

describe("the agent's view of its board", () => {
  let stateDir: string;
  let remembered: string | null;
  const logged: string[] = [];
  const create = (model = "mini") =>
    createBoardFigures({
      stateDir,
      model: () => model,
      memory: {
        load: () => remembered,
        save: (text) => {
          remembered = text;
        },
      },
      log: pino({ level: "info" }, { write: (line: string) => void logged.push(line) }),
    });
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "thormesh-figures-"));
    remembered = null;
    logged.length = 0;
  });
  afterEach(() => rmSync(stateDir, { recursive: true, force: true }));
  const path = () => join(stateDir, profileFileName);
  const minuteAbove = { qps: 400, requests: 9999, p95Ms: 20, meanWatts: null };

  test("without a profile it is what the board says", async () => {
    const figures = create();
    await figures.refresh();
    expect(figures.apply([bare(0, "MAXN")])).toEqual([bare(0, "MAXN")]);
    expect(figures.origin()).toEqual({
      ...{ kind: "board", model: null, texts: null, targetP95Ms: null, calibratedAtMs: null, corrections: {} },
    });
    expect(logged).toEqual([]);
  });

  test("a profile that appears while it runs is taken in; what service teaches is kept over a restart", async () => {
    const figures = create();
    await figures.refresh();
    await writeWhole(path(), profile(calibration()));
    await figures.refresh();
    expect(figures.origin()).toMatchObject({ kind: "calibrated", texts: "mixed" });
    expect(logged.join()).not.toContain("lacks this model");
    for (let count = 0; count < 60; count += 1) figures.observe(0, minuteAbove);
    const [top] = figures.apply([bare(0, "MAXN")]);
    expect(top?.capacityQps).toBeGreaterThan(330);
    const again = create();
    await again.refresh();
    expect(again.apply([bare(0, "MAXN")])).toEqual([top as PowerModeProfile]);
  });

  test("a profile of other models only is said, with what to do, and not used", async () => {
    await writeWhole(path(), profile(calibration({ model: "other" })));
    const figures = create();
    await figures.refresh();
    expect(logged.join()).toContain("the board's profile lacks this model: run thormesh calibrate");
    expect(figures.origin().kind).toBe("board");
  });

  test.each([
    "{",
    "[]",
    '{"calibratedAtMs":10}',
    '{"calibratedAtMs":10,"byMode":{"MAXN":{"capacity":"2","busyWatts":1,"idleWatts":1}}}',
    '{"calibratedAtMs":10,"byMode":{"MAXN":{"capacity":1e9,"busyWatts":1,"idleWatts":1}}}',
  ])("corrections that can't be read, %s, are learnt again", async (text) => {
    remembered = text;
    await writeWhole(path(), profile(calibration()));
    const figures = create();
    await figures.refresh();
    expect(figures.apply([bare(0, "MAXN")])[0]?.capacityQps).toBe(300);
  });

  test("a new calibration ends the old one's corrections", async () => {
    await writeWhole(path(), profile(calibration()));
    const figures = create();
    await figures.refresh();
    figures.observe(0, minuteAbove);
    await writeWhole(path(), profile(calibration({ finishedAtMs: 4711 })));
    await figures.refresh();
    expect(figures.apply([bare(0, "MAXN")])[0]?.capacityQps).toBe(300);
  });

  test.each([
    ["no JSON", "{", /is not JSON/],
    ["another version", JSON.stringify({ version: 2, board: "", calibrations: [] }), /version/],
    [
      "a capacity below zero",
      JSON.stringify(profile(calibration({ modes: [measured(0, "MAXN", -1)] }))),
      /capacityQps/,
    ],
  ])("a profile with %s is said once and not used", async (_, text, reason) => {
    await Bun.write(path(), text);
    const figures = create();
    await figures.refresh();
    await figures.refresh();
    expect(logged.filter((line) => reason.test(line))).toHaveLength(1);
    expect(figures.origin().kind).toBe("board");
  });

  test("while a calibration is at work the board is to be left alone; one whose process is gone is not at work", async () => {
    const sweep = {
      version: 1 as const,
      pid: 1,
      board: "",
      model: "mini",
      texts: "mixed",
      targetP95Ms: 50,
      returnToModeId: 1,
      startedAtMs: 0,
      done: [],
    };
    const figures = create();
    expect(await figures.busyReason()).toBeNull();
    await writeWhole(join(stateDir, sweepFileName), sweep);
    expect(await figures.busyReason()).toMatch(/calibrate is using the board \(process 1\)/);
    const ended = Bun.spawn(["true"]);
    await ended.exited;
    await writeWhole(join(stateDir, sweepFileName), { ...sweep, pid: ended.pid });
    expect(await figures.busyReason()).toBeNull();
  });
});
