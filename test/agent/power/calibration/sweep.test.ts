import { describe, expect, test } from "bun:test";
import type { MeasuredMode } from "#agent/power/calibration/board-profile.ts";
import { decideNextRate, type NextRate, type RateTrial } from "#agent/power/calibration/decide-next-rate.ts";
import { explainNextRate } from "#agent/power/calibration/explain-next-rate.ts";
import {
  estimateSweepMs,
  type LoadResult,
  missedBy,
  type SweepEffects,
  type SweepEvent,
  sweepModes,
} from "#agent/power/calibration/sweep-modes.ts";
import type { SetModeResult } from "#agent/power/device/device.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";

const search = { firstQps: 70, lowestQps: 0.5, highestQps: 1000, tolerance: 0.05 };

/** Follows the search on a board whose verdict on a rate is `verdict`. */
function follow(verdict: (rateQps: number, attempt: number) => RateTrial["verdict"], options = search) {
  const trials: RateTrial[] = [];
  for (;;) {
    const next = decideNextRate(trials, options);
    if (next.kind === "done") return { ...next, trials };
    if (trials.length > 60) throw new Error("the search does not end");
    const attempt = trials.filter(({ rateQps }) => rateQps === next.rateQps).length;
    trials.push({ rateQps: next.rateQps, verdict: verdict(next.rateQps, attempt) });
  }
}

describe("the next rate of the search", () => {
  const trial = (rateQps: number, verdict: RateTrial["verdict"]): RateTrial => ({ rateQps, verdict });
  const passed = trial(70, "in-time");
  test.each([
    ["none tried yet", [], { kind: "try", rule: "first", rateQps: 70 }],
    ["late once: again", [trial(70, "late")], { kind: "try", rule: "repeat", rateQps: 70 }],
    [
      "late for the second time: lower",
      [trial(70, "late"), trial(70, "late")],
      { kind: "try", rule: "lower", rateQps: 70 / 1.4 ** 2, failedQps: 70 },
    ],
    [
      "hopeless once: lower",
      [trial(70, "hopeless")],
      { kind: "try", rule: "lower", rateQps: 70 / 1.4 ** 2, failedQps: 70 },
    ],
    [
      "the lowest one failed",
      [trial(0.5, "hopeless")],
      { kind: "done", rule: "none-passed", capacityQps: 0, failedQps: 0.5 },
    ],
    ["in time: higher", [passed], { kind: "try", rule: "higher", rateQps: 70 * 1.4, passedQps: 70 }],
    [
      "in time at the second attempt: higher",
      [trial(70, "late"), passed],
      { kind: "try", rule: "higher", rateQps: 70 * 1.4, passedQps: 70 },
    ],
    [
      "no higher than the highest",
      [trial(900, "in-time")],
      { kind: "try", rule: "higher", rateQps: 1000, passedQps: 900 },
    ],
    [
      "the highest is in time",
      [trial(1000, "in-time")],
      { kind: "done", rule: "highest-passed", capacityQps: 1000, passedQps: 1000 },
    ],
    [
      "one passed and one failed: between",
      [passed, trial(98, "hopeless")],
      { kind: "try", rule: "between", rateQps: Math.sqrt(70 * 98), passedQps: 70, failedQps: 98 },
    ],
    [
      "just within the tolerance of each other",
      [trial(100, "in-time"), trial(105, "hopeless")],
      { kind: "done", rule: "converged", capacityQps: 100, passedQps: 100, failedQps: 105 },
    ],
    [
      "a rate that is late after others passed is tried again as well",
      [passed, trial(98, "late")],
      { kind: "try", rule: "repeat", rateQps: 98 },
    ],
  ] as [string, RateTrial[], NextRate][])("%s", (_, trials, expected) => {
    expect(decideNextRate(trials, search)).toEqual(expected);
  });

  test.each([
    [Number.NaN, 0.5],
    [Number.POSITIVE_INFINITY, 0.5],
    [0, 0.5],
    [1e9, 1000],
  ])("a search that is to begin at %p begins at %p", (firstQps, rateQps) => {
    expect(decideNextRate([], { ...search, firstQps })).toEqual({ kind: "try", rule: "first", rateQps });
  });

  test.each([
    [{ kind: "try", rule: "first", rateQps: 70 }, "first rate"],
    [{ kind: "try", rule: "repeat", rateQps: 70 }, "repeated because it was late once"],
    [{ kind: "try", rule: "lower", rateQps: 36, failedQps: 70 }, "70 qps was late"],
    [{ kind: "try", rule: "higher", rateQps: 98, passedQps: 70 }, "70 qps was in time"],
    [{ kind: "try", rule: "between", rateQps: 83, passedQps: 70, failedQps: 98 }, "between 70 qps and 98 qps"],
    [{ kind: "done", rule: "none-passed", capacityQps: 0, failedQps: 0.5 }, "not even 0.5 qps is served in time"],
    [
      { kind: "done", rule: "highest-passed", capacityQps: 1000, passedQps: 1000 },
      "1000 qps, the highest rate tried, is served in time",
    ],
    [
      { kind: "done", rule: "converged", capacityQps: 100, passedQps: 100.04, failedQps: 104.96 },
      "100 qps is served in time, 105 qps is not",
    ],
  ] as [NextRate, string][])("%j is explained", (next, sentence) => {
    expect(explainNextRate(next)).toBe(sentence);
  });
});

describe("search for the highest rate", () => {
  test.each([0.6, 1, 7, 50, 69.9, 70, 71, 98, 333, 999])(
    "of %p qps, within the tolerance and in few steps",
    (capacity) => {
      const found = follow((rate) => (rate <= capacity ? "in-time" : "hopeless"));
      expect(found.capacityQps).toBeLessThanOrEqual(capacity);
      expect(found.capacityQps).toBeGreaterThan(capacity / 1.06);
      expect(found.trials.length).toBeLessThan(16);
    },
  );

  test("one hiccup is no limit; two are", () => {
    const hiccup = follow((rate, attempt) =>
      rate > 200 ? "hopeless" : attempt === 0 && rate > 90 ? "late" : "in-time",
    );
    expect(hiccup.capacityQps).toBeGreaterThan(200 / 1.06);
    const limit = follow((rate) => (rate > 90 ? "late" : "in-time"));
    expect(limit.capacityQps).toBeLessThanOrEqual(90);
    expect(limit.capacityQps).toBeGreaterThan(90 / 1.06);
    const late = limit.trials.filter(({ verdict }) => verdict === "late").map(({ rateQps }) => rateQps);
    for (const rate of late) expect(late.filter((each) => each === rate)).toHaveLength(2);
  });

  test.each([
    ["a board that is never in time has no capacity", () => "hopeless" as const, 0],
    ["one that always is has the highest rate that is tried", () => "in-time" as const, 1000],
  ])("%s", (_, verdict, capacity) => {
    expect(follow(verdict).capacityQps).toBe(capacity);
  });

  test.each([0, Number.NaN, Number.POSITIVE_INFINITY, 1e9, -5])("also when it is to begin at %p", (firstQps) => {
    const found = follow((rate) => (rate <= 50 ? "in-time" : "hopeless"), { ...search, firstQps });
    expect(found.capacityQps).toBeGreaterThan(50 / 1.06);
  });
});

const bare = (id: number, name: string): PowerModeProfile => ({
  id,
  name,
  capacityQps: null,
  busyWatts: null,
  idleWatts: null,
});

/** A board that carries 10 qps a watt-class of its mode and draws by its load; records what is done to it. */
function recordingBoard(
  capacities: Readonly<Record<number, number>>,
  results: Readonly<Record<number, SetModeResult>> = {},
) {
  const done: string[] = [];
  let mode = -1;
  let watts = 0;
  const at = (rateQps: number): LoadResult => {
    const capacity = capacities[mode] ?? 0;
    const served = Math.min(rateQps, capacity);
    watts = 10 + served / 10;
    return { p95Ms: rateQps <= capacity ? 20 : 2000, answeredQps: served, failedShare: 0 };
  };
  const effects: SweepEffects = {
    control: {
      async setMode(id) {
        done.push(`set ${id}`);
        mode = id;
        return results[id] ?? { kind: "set" };
      },
    },
    async load(rateQps) {
      done.push("load");
      return at(rateQps);
    },
    async press() {
      done.push("press");
      return at(1e6);
    },
    async wait(durationMs) {
      done.push(`wait ${durationMs}`);
      watts = 10;
    },
    async during(work) {
      const result = await work();
      return { result, power: { meanWatts: watts, maxTemperatureC: 40 + watts } };
    },
    nowMs: () => 4711,
  };
  return { done, effects };
}

const times = { settleMs: 5, idleMs: 6, warmUpMs: 7, stepMs: 8 };

async function sweep(modes: PowerModeProfile[], board: ReturnType<typeof recordingBoard>) {
  const kept: MeasuredMode[] = [];
  const events: SweepEvent[] = [];
  await sweepModes(modes, board.effects, {
    times,
    targetP95Ms: 50,
    keep: async (measured) => void kept.push(measured),
    onEvent: (event) => void events.push(event),
  });
  return { kept, events };
}

describe("sweep", () => {
  test.each([
    ["in time", { p95Ms: 50, answeredQps: 100, failedShare: 0.001 }, 100, 15_000, null],
    ["late", { p95Ms: 50.1, answeredQps: 100, failedShare: 0 }, 100, 15_000, "p95"],
    ["nothing answered", { p95Ms: null, answeredQps: 0, failedShare: 0 }, 100, 15_000, "p95"],
    ["failures", { p95Ms: 20, answeredQps: 100, failedShare: 0.0011 }, 100, 15_000, "errors"],
    ["fewer answers than requests", { p95Ms: 20, answeredQps: 89, failedShare: 0 }, 100, 15_000, "rate"],
    ["the last one of a few is answered after the end", { p95Ms: 20, answeredQps: 1, failedShare: 0 }, 2, 1_000, null],
    ["more than the last one is missing", { p95Ms: 20, answeredQps: 1, failedShare: 0 }, 3, 1_000, "rate"],
  ] as const)("%s", (_name, result, rateQps, stepMs, expected) => {
    expect(missedBy(result, rateQps, 50, stepMs)).toBe(expected);
  });

  test("each mode settles, is measured idle, warmed up and then loaded; busy watts are those of the rate that counts", async () => {
    const board = recordingBoard({ 0: 300, 1: 100 });
    const { kept } = await sweep([bare(0, "MAXN"), bare(1, "15W")], board);
    expect(board.done.slice(0, 5)).toEqual(["set 0", "wait 5", "wait 6", "press", "load"]);
    expect(kept.map(({ name }) => name)).toEqual(["MAXN", "15W"]);
    for (const [index, capacity] of [300, 100].entries()) {
      const mode = kept[index] as MeasuredMode;
      expect(mode.capacityQps).toBeGreaterThan(capacity / 1.06);
      expect(mode.capacityQps).toBeLessThanOrEqual(capacity);
      expect(mode).toMatchObject({ idleWatts: 10, p95Ms: 20, measuredAtMs: 4711 });
      expect(mode.busyWatts).toBeCloseTo(10 + mode.capacityQps / 10, 9);
    }
  });

  test("a mode that can't be set is left out with its reason, and the others are measured", async () => {
    const board = recordingBoard({ 1: 100 }, { 0: { kind: "reboot-required", reason: "needs a reboot" } });
    const { kept, events } = await sweep([bare(0, "MAXN"), bare(1, "15W")], board);
    expect(kept.map(({ name }) => name)).toEqual(["15W"]);
    expect(events).toContainEqual({ kind: "skipped", mode: "MAXN", reason: "needs a reboot" });
  });

  test("a mode that never is in time has no capacity and no busy watts", async () => {
    const { kept } = await sweep([bare(0, "MAXN")], recordingBoard({ 0: 0 }));
    expect(kept[0]).toMatchObject({ capacityQps: 0, p95Ms: null, busyWatts: null, idleWatts: 10 });
  });

  describe("figures that contradict physics", () => {
    const modes = [bare(0, "MAXN"), bare(1, "25W"), bare(2, "10W")];
    /** Board on which something else computes during the first `times` measurements of 25W. */
    const disturbed = (times: number) => {
      const board = recordingBoard({ 0: 300, 1: 200, 2: 100 });
      let measurements = 0;
      let mode = -1;
      const slow = { p95Ms: 9000, answeredQps: 0, failedShare: 0 };
      const isSlow = () => mode === 1 && measurements <= times;
      const effects: SweepEffects = {
        ...board.effects,
        control: {
          async setMode(id) {
            mode = id;
            if (id === 1) measurements += 1;
            return await board.effects.control.setMode(id);
          },
        },
        load: async (...given) => (isSlow() ? slow : await board.effects.load(...given)),
        press: async (...given) => (isSlow() ? slow : await board.effects.press(...given)),
      };
      return { ...board, effects };
    };

    test("are measured again, and right then", async () => {
      const board = disturbed(1);
      const { kept, events } = await sweep(modes, board);
      expect(board.done.filter((each) => each.startsWith("set"))).toEqual(["set 0", "set 1", "set 2", "set 1"]);
      expect(kept.map(({ name }) => name)).toEqual(["MAXN", "25W", "10W", "25W"]);
      expect(kept[1]?.capacityQps).toBe(0);
      expect(kept[3]?.capacityQps).toBeWithin(180, 201);
      expect(kept[3]).not.toHaveProperty("doubt");
      const told = events.filter(({ kind }) => kind === "doubtful");
      expect(told).toMatchObject([
        {
          mode: "25W",
          isMeasuredAgain: true,
          reason: expect.stringMatching(/^25W carried 0.0 qps, less than the .* of 10W/),
        },
      ]);
    });

    test("are marked and told when they still do", async () => {
      const { kept, events } = await sweep(modes, disturbed(2));
      expect(kept.at(-1)).toMatchObject({
        ...{ name: "25W", capacityQps: 0 },
        doubt: expect.stringContaining("25W carried 0.0 qps, less than the"),
      });
      expect(kept.filter(({ name, doubt }) => name !== "25W" && doubt !== undefined)).toEqual([]);
      expect(events.at(-1)).toMatchObject({ kind: "doubtful", mode: "25W", isMeasuredAgain: false });
    });

    test("also beside modes that an interrupted sweep had measured", async () => {
      const [, , tenWatts] = (await sweep(modes, disturbed(0))).kept as [MeasuredMode, MeasuredMode, MeasuredMode];
      const kept: MeasuredMode[] = [];
      await sweepModes([bare(1, "25W")], disturbed(1).effects, {
        ...{ times, targetP95Ms: 50, onEvent: () => undefined },
        keep: async (measured) => void kept.push(measured),
        before: { measured: [tenWatts], order: modes },
      });
      expect(kept.map(({ capacityQps }) => capacityQps > 0)).toEqual([false, true]);
    });
  });

  test("what is interrupted ends the sweep; what was measured until then is kept", async () => {
    const board = recordingBoard({ 0: 300, 1: 100 });
    const kept: MeasuredMode[] = [];
    const effects: SweepEffects = {
      ...board.effects,
      async press(durationMs) {
        if (kept.length > 0) throw new Error("interrupted");
        return await board.effects.press(durationMs);
      },
    };
    const sweeping = sweepModes([bare(0, "MAXN"), bare(1, "15W")], effects, {
      times,
      targetP95Ms: 50,
      keep: async (measured) => void kept.push(measured),
      onEvent: () => {},
    });
    await expect(sweeping).rejects.toThrow("interrupted");
    expect(kept.map(({ name }) => name)).toEqual(["MAXN"]);
  });

  test("the estimate grows with the modes and with the steps", () => {
    expect(estimateSweepMs(0, times)).toBe(0);
    expect(estimateSweepMs(4, times)).toBe(4 * (5 + 6 + 7 + 9 * 8));
  });
});
