import { describe, expect, test } from "bun:test";
import { decidePowerMode, PowerModeInputs } from "#agent/power/mode/decide-power-mode.ts";
import { explainPowerMode } from "#agent/power/mode/explain-power-mode.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { wrongFields } from "../../../fakes/wrong-fields.ts";

const policy = parseConfig(PowerPolicy, {}, "test");
const mode = (id: number, name: string, capacityQps: number | null = null): PowerModeProfile => ({
  id,
  name,
  capacityQps,
  busyWatts: null,
  idleWatts: null,
});
/** The board of the threshold policy: 330, 220 and 120 qps. */
const classic = [mode(0, "MAXN", 330), mode(1, "12W", 220), mode(2, "7W", 120)];
const unknown = [mode(0, "MAXN"), mode(1, "120W"), mode(2, "90W"), mode(3, "70W")];
const hour = 3_600_000;

const base: PowerModeInputs = {
  policy,
  modes: classic,
  currentModeId: 1,
  lastSwitchMs: null,
  switchesInLastDay: 0,
  role: "active",
  servingForMs: null,
  forecastPathMaxQps: 150,
  forecastUpperQps: null,
  liveQps: 140,
  desiredMode: null,
  desiredModeCap: null,
  desiredModeUntilMs: null,
  desiredModeCapUntilMs: null,
  temperatureC: 50,
  thermalCap: 0,
  thermalCapChangedMs: null,
  nowMs: 10 * hour,
};

describe("decidePowerMode", () => {
  test.each([
    [
      "between the thresholds: the middle",
      {},
      "hold",
      1,
      { rule: "carries", mode: "12W", demand: { source: "forecast", qps: 150, hasForecast: true } },
    ],
    [
      "above the high one: the top, at once",
      { forecastPathMaxQps: 301, lastSwitchMs: 10 * hour - 1 },
      "switch",
      0,
      { rule: "needs", mode: "MAXN", demand: { qps: 301 } },
    ],
    [
      "exactly at the high one: still the middle",
      { modes: unknown, currentModeId: 1, forecastPathMaxQps: 300 },
      "hold",
      1,
      { rule: "carries", mode: "120W", demand: { qps: 300 } },
    ],
    [
      "the live rate counts as much as the forecast",
      { liveQps: 500 },
      "switch",
      0,
      { rule: "needs", demand: { source: "live", qps: 500, hasForecast: true } },
    ],
    [
      "below the low one: the lowest",
      { forecastPathMaxQps: 60, liveQps: 50 },
      "switch",
      2,
      { rule: "carries", mode: "7W" },
    ],
    ["just below the low one: not yet", { forecastPathMaxQps: 95, liveQps: 10 }, "hold", 1, { rule: "near-limit" }],
    [
      "held too short a time to step down",
      { forecastPathMaxQps: 10, liveQps: 0, lastSwitchMs: 10 * hour - 299_999 },
      "hold",
      1,
      { rule: "dwell", dwellMs: 300_000 },
    ],
    [
      "held long enough",
      { forecastPathMaxQps: 10, liveQps: 0, lastSwitchMs: 10 * hour - 300_000 },
      "switch",
      2,
      { rule: "carries", mode: "7W" },
    ],
    [
      "a mode that can't carry the demand is passed over",
      { forecastPathMaxQps: 180 },
      "switch",
      0,
      { rule: "needs", mode: "MAXN" },
    ],
    ["no demand at all", { forecastPathMaxQps: 0, liveQps: 0 }, "switch", 2, { rule: "carries", demand: { qps: 0 } }],
    [
      "no forecast: the live rate",
      { forecastPathMaxQps: null, liveQps: 30 },
      "switch",
      2,
      { rule: "carries", demand: { source: "live", qps: 30, hasForecast: false } },
    ],
    [
      "neither: ready for anything",
      { forecastPathMaxQps: null, liveQps: null },
      "switch",
      0,
      { rule: "no-rate", cap: null },
    ],
    ["NaN is not a rate", { forecastPathMaxQps: Number.NaN, liveQps: null }, "switch", 0, { rule: "no-rate" }],
    [
      "an endless forecast is not one either",
      { forecastPathMaxQps: Number.POSITIVE_INFINITY },
      "hold",
      1,
      { rule: "carries", demand: { source: "live", qps: 140, hasForecast: false } },
    ],
    [
      "standing by saves, without waiting",
      { role: "standby", lastSwitchMs: 10 * hour - 1, forecastPathMaxQps: 999 },
      "switch",
      2,
      { rule: "standby" },
    ],
    [
      "above the high one without known capacities: the top",
      { modes: unknown, forecastPathMaxQps: 301 },
      "switch",
      0,
      {},
    ],
    [
      "exactly at the low one: still the middle",
      { modes: unknown, forecastPathMaxQps: 100, liveQps: 0 },
      "hold",
      1,
      { rule: "carries", mode: "120W" },
    ],
    ["exactly at the target utilisation: still carried", { forecastPathMaxQps: 176 }, "hold", 1, { rule: "carries" }],
    [
      "a live rate as high as the forecast: the forecast is named",
      { forecastPathMaxQps: 140 },
      "hold",
      1,
      { demand: { source: "forecast", qps: 140 } },
    ],
    [
      "before the first switch there is no dwell",
      { forecastPathMaxQps: 10, liveQps: 0, nowMs: 0 },
      "switch",
      2,
      { rule: "carries" },
    ],
    [
      "a cap of heat that is that of the controller is called the controller's",
      { desiredModeCap: "12W", thermalCap: 1, temperatureC: 88, forecastPathMaxQps: 999 },
      "hold",
      1,
      { cap: { by: "controller", mode: "12W" } },
    ],
    [
      "draining still serves",
      { role: "draining", forecastPathMaxQps: 999 },
      "switch",
      0,
      { rule: "needs", mode: "MAXN" },
    ],
    [
      "what the controller holds comes before demand",
      { desiredMode: "7W", forecastPathMaxQps: 999 },
      "switch",
      2,
      { rule: "held", mode: "7W" },
    ],
    [
      "until it ends",
      { desiredMode: "7W", desiredModeUntilMs: 10 * hour, forecastPathMaxQps: 999 },
      "switch",
      0,
      { rule: "needs", demand: { qps: 999 }, cap: null },
    ],
    [
      "and before the role",
      { desiredMode: "MAXN", desiredModeUntilMs: 11 * hour, role: "standby" },
      "switch",
      0,
      { rule: "held", mode: "MAXN" },
    ],
    [
      "a cap bounds what demand asks for",
      { desiredModeCap: "12W", forecastPathMaxQps: 999 },
      "hold",
      1,
      { rule: "needs", mode: "MAXN", demand: { qps: 999 }, cap: { by: "controller", mode: "12W" } },
    ],
    [
      "within the cap demand decides",
      { desiredModeCap: "12W", forecastPathMaxQps: 10, liveQps: 0 },
      "switch",
      2,
      { rule: "carries", mode: "7W" },
    ],
    [
      "until the cap ends",
      { desiredModeCap: "12W", desiredModeCapUntilMs: 10 * hour, forecastPathMaxQps: 999 },
      "switch",
      0,
      { rule: "needs", demand: { qps: 999 }, cap: null },
    ],
    [
      "heat may cap further",
      { desiredModeCap: "12W", thermalCap: 2, temperatureC: 88, forecastPathMaxQps: 999 },
      "switch",
      2,
      { cap: { by: "heat", mode: "7W", temperatureC: 88 } },
    ],
    [
      "service just taken up: what was seen while standing by says nothing",
      { servingForMs: 119_999, forecastPathMaxQps: 0, liveQps: 0 },
      "switch",
      0,
      { rule: "service-started", cap: null },
    ],
    [
      "two minutes later the live rate counts",
      { servingForMs: 120_000, forecastPathMaxQps: 0, liveQps: 140 },
      "hold",
      1,
      { rule: "carries", demand: { source: "live", qps: 140 } },
    ],
    [
      "a fixed mode stays fixed",
      { servingForMs: 0, policy: { ...policy, kind: "fixed", fixedMode: "7W" } },
      "switch",
      2,
      { rule: "configured", mode: "7W" },
    ],
    [
      "where the board is can't be told: it is set",
      { currentModeId: null },
      "switch",
      1,
      { rule: "needs", demand: { qps: 150 } },
    ],
    ["one mode only", { modes: [mode(5, "ONLY")], currentModeId: 5, forecastPathMaxQps: 1 }, "hold", 5, {}],
    ["two modes: between means the top", { modes: unknown.slice(0, 2), currentModeId: 0 }, "hold", 0, {}],
    ["four modes: between means the second", { modes: unknown, currentModeId: 0, lastSwitchMs: 0 }, "switch", 1, {}],
  ] as [string, Partial<PowerModeInputs>, string, number, object][])("%s", (_name, change, kind, modeId, expected) => {
    const decision = decidePowerMode({ ...base, ...change });
    expect(decision).toMatchObject({ kind, modeId, ...expected });
    expect(decision.refused).toBeNull();
  });

  test.each([
    ["a hold above the cap", { desiredMode: "MAXN", desiredModeCap: "12W" }, 1, { rule: "capped", mode: "MAXN" }],
    [
      "a cap that is no mode of the board",
      { desiredModeCap: "9W", forecastPathMaxQps: 999 },
      0,
      { rule: "unknown-mode", mode: "9W", knownModes: ["MAXN", "12W", "7W"] },
    ],
  ] as [string, Partial<PowerModeInputs>, number, object][])(
    "%s is refused, with the rule",
    (_name, change, modeId, refused) => {
      expect(decidePowerMode({ ...base, ...change })).toMatchObject({ modeId, refused });
    },
  );

  describe("by energy, where the board's figures are known", () => {
    const known = (
      id: number,
      name: string,
      capacityQps: number,
      busyWatts: number,
      idleWatts: number,
    ): PowerModeProfile => ({
      id,
      name,
      capacityQps,
      busyWatts,
      idleWatts,
    });
    const thor = [
      known(0, "MAXN", 420, 130, 24),
      known(1, "120W", 350, 105, 22),
      known(2, "90W", 280, 78, 21),
      known(3, "70W", 220, 58, 20),
    ];
    /** A board whose top mode is done so much sooner that it draws least: race to idle. */
    const racer = [known(0, "FAST", 1000, 20, 5), known(1, "SLOW", 100, 15, 5)];
    test.each([
      [
        "a step that saves less than changing modes costs is not made",
        { forecastPathMaxQps: 10, liveQps: 5, policy: { ...policy, switchCostS: 8 }, currentModeId: 2 },
        "hold",
        2,
        { rule: "saves-too-little", mode: "70W", costJ: 2080, windowS: 900 },
      ],
      [
        "the least that carries the peak",
        { forecastPathMaxQps: 150 },
        "switch",
        3,
        { rule: "carries", mode: "70W", demand: { source: "forecast", qps: 150, upperQps: null } },
      ],
      [
        "more than it carries at the target: the next",
        { forecastPathMaxQps: 177, currentModeId: 3 },
        "switch",
        2,
        { rule: "needs", mode: "90W" },
      ],
      [
        "up at once, however short the last switch ago",
        { forecastPathMaxQps: 300, lastSwitchMs: 10 * hour - 1 },
        "switch",
        0,
        { rule: "needs", mode: "MAXN" },
      ],
      [
        "neither forecast nor live rate: the top",
        { forecastPathMaxQps: null, liveQps: null },
        "switch",
        0,
        { rule: "no-rate", cap: null },
      ],
      [
        "exactly the target utilisation is carried",
        { forecastPathMaxQps: 176, currentModeId: 3 },
        "hold",
        3,
        { rule: "carries" },
      ],
      [
        "an upper bound of exactly the capacity is carried",
        { forecastPathMaxQps: 10, forecastUpperQps: 220, currentModeId: 3 },
        "hold",
        3,
        { rule: "carries", demand: { source: "forecast", qps: 10, upperQps: 220, hasForecast: true } },
      ],
      [
        "a step down leaves headroom for the upper bound as well",
        { forecastPathMaxQps: 10, forecastUpperQps: 200, currentModeId: 2 },
        "hold",
        2,
        { rule: "near-limit", mode: "70W" },
      ],
      [
        "a live rate as high as the forecast: the forecast is named",
        { forecastPathMaxQps: 150, liveQps: 150, currentModeId: 3 },
        "hold",
        3,
        { demand: { source: "forecast" } },
      ],
      [
        "savings are counted at the live rate where it is above the forecast",
        { forecastPathMaxQps: 0, liveQps: 100, policy: { ...policy, switchCostS: 8 }, currentModeId: 2 },
        "switch",
        3,
        { rule: "carries" },
      ],
      [
        "a saving of just what two switches cost is not enough",
        {
          modes: [known(0, "A", 100, 100, 21), known(1, "B", 50, 40, 20)],
          currentModeId: 0,
          forecastPathMaxQps: 0,
          policy: { ...policy, switchCostS: 4.5 },
        },
        "hold",
        0,
        { rule: "saves-too-little", savedJ: 900, costJ: 900 },
      ],
      [
        "any saving is enough where switches cost nothing",
        {
          modes: [known(0, "A", 100, 100, 20.0005), known(1, "B", 50, 40, 20)],
          currentModeId: 0,
          forecastPathMaxQps: 0,
          policy: { ...policy, switchCostS: 0 },
        },
        "switch",
        1,
        { rule: "carries" },
      ],
      [
        "capacities below one text a second count",
        {
          modes: [known(0, "FAST", 0.9, 20, 5), known(1, "SLOW", 0.5, 15, 5)],
          forecastPathMaxQps: 0.2,
        },
        "switch",
        0,
        { rule: "carries", mode: "FAST" },
      ],
      [
        "where no mode has a capacity the thresholds decide",
        { modes: thor.map((each) => ({ ...each, capacityQps: 0 })), forecastPathMaxQps: 0 },
        "switch",
        3,
        { rule: "carries", mode: "70W" },
      ],
      [
        "a saving is made once the dwell is over",
        { forecastPathMaxQps: 10, lastSwitchMs: 10 * hour - 300_000 },
        "switch",
        3,
        { rule: "carries" },
      ],
      ["the first saving needs no dwell", { forecastPathMaxQps: 10, nowMs: 0 }, "switch", 3, { rule: "carries" }],
      [
        "more than any mode carries: the top",
        { forecastPathMaxQps: 999 },
        "switch",
        0,
        { rule: "needs", mode: "MAXN" },
      ],
      [
        "a saving waits for the dwell",
        { forecastPathMaxQps: 10, lastSwitchMs: 10 * hour - 299_999 },
        "hold",
        1,
        { rule: "dwell", dwellMs: 300_000 },
      ],
      [
        "two switches left are enough for a saving",
        { forecastPathMaxQps: 10, switchesInLastDay: 38 },
        "switch",
        3,
        { rule: "carries" },
      ],
      ["and for room to spare", { forecastPathMaxQps: 170, currentModeId: 2 }, "hold", 2, { rule: "near-limit" }],
      [
        "the live rate counts as well: it must stay within capacity",
        { forecastPathMaxQps: 10, liveQps: 281, currentModeId: 2 },
        "switch",
        1,
        { rule: "needs", mode: "120W", demand: { source: "live", qps: 281 } },
      ],
      [
        "within capacity, with less expected to come, it asks for nothing",
        { forecastPathMaxQps: 10, liveQps: 250, currentModeId: 2 },
        "hold",
        2,
        { rule: "carries", mode: "90W", demand: { source: "live", qps: 250, hasForecast: true } },
      ],
      [
        "without a forecast the live rate itself must leave room",
        { forecastPathMaxQps: null, liveQps: 250, currentModeId: 2 },
        "switch",
        1,
        { rule: "needs", mode: "120W", demand: { source: "live", qps: 250, hasForecast: false } },
      ],
      [
        "what may come must stay within capacity, what is expected within the target",
        { forecastPathMaxQps: 150, forecastUpperQps: 221, currentModeId: 3 },
        "switch",
        2,
        { rule: "needs", mode: "90W", demand: { source: "forecast", qps: 150, upperQps: 221 } },
      ],
      [
        "an upper bound that is no number counts as none",
        { forecastPathMaxQps: 150, forecastUpperQps: Number.NaN, currentModeId: 3 },
        "hold",
        3,
        { rule: "carries", mode: "70W", demand: { upperQps: null } },
      ],
      [
        "one below the forecast is none either",
        { forecastPathMaxQps: 177, forecastUpperQps: 10, currentModeId: 3 },
        "switch",
        2,
        { rule: "needs", mode: "90W" },
      ],
      [
        "the more switches there were, the longer a mode is held",
        { forecastPathMaxQps: 10, lastSwitchMs: 10 * hour - 520_000, switchesInLastDay: 20 },
        "hold",
        1,
        { rule: "dwell", dwellMs: 525_000 },
      ],
      [
        "and when the day's are used up nothing is saved any more",
        { forecastPathMaxQps: 10, switchesInLastDay: 39 },
        "hold",
        1,
        { rule: "no-switches-left", switchesInLastDay: 39 },
      ],
      [
        "but what the demand needs is still done",
        { forecastPathMaxQps: 300, switchesInLastDay: 999 },
        "switch",
        0,
        { rule: "needs", mode: "MAXN" },
      ],
      [
        "a mode that calibration found unfit for the target is never taken",
        { modes: [...thor.slice(0, 3), known(3, "70W", 0, 58, 20)], forecastPathMaxQps: 0 },
        "switch",
        2,
        { rule: "carries", mode: "90W" },
      ],
      [
        "a faster mode that draws less is a saving, not a need: it waits",
        { modes: racer, currentModeId: 1, forecastPathMaxQps: 50, lastSwitchMs: 10 * hour - 1 },
        "hold",
        1,
        { rule: "dwell", mode: "FAST" },
      ],
      [
        "and is taken after the dwell",
        { modes: racer, currentModeId: 1, forecastPathMaxQps: 50, liveQps: 0 },
        "switch",
        0,
        { rule: "carries", mode: "FAST" },
      ],
      [
        "no demand: the lowest idle power",
        { forecastPathMaxQps: 0, liveQps: 0 },
        "switch",
        3,
        { rule: "carries", demand: { qps: 0 } },
      ],
      [
        "one mode without figures: thresholds",
        { modes: [...thor.slice(0, 3), mode(3, "70W")], forecastPathMaxQps: 120, liveQps: 0, currentModeId: 1 },
        "hold",
        1,
        { rule: "carries", mode: "120W", demand: { qps: 120 } },
      ],
      [
        "thresholds when they are asked for",
        { policy: { ...policy, kind: "threshold" }, forecastPathMaxQps: 150 },
        "hold",
        1,
        { rule: "carries", mode: "120W", demand: { qps: 150 } },
      ],
    ] as [string, Partial<PowerModeInputs>, string, number, object][])(
      "%s",
      (_name, change, kind, modeId, expected) => {
        const decision = decidePowerMode({ ...base, liveQps: 0, modes: thor, ...change });
        expect(decision).toMatchObject({ kind, modeId, ...expected });
      },
    );
  });

  test.each([
    ["the top unless told otherwise", null, 0, { rule: "configured", mode: "MAXN" }],
    ["the mode that is named", "7W", 2, { rule: "configured", mode: "7W" }],
    ["the top when the board has no such mode", "5W", 0, { rule: "configured-mode-unknown", mode: "5W", cap: null }],
  ] as [string, string | null, number, object][])("fixed: %s", (_name, fixedMode, modeId, expected) => {
    const decision = decidePowerMode({
      ...base,
      policy: { ...policy, kind: "fixed", fixedMode },
      forecastPathMaxQps: 1,
    });
    expect(decision).toMatchObject({ kind: "switch", modeId, ...expected });
  });

  test("no modes: nothing to decide", () => {
    expect(decidePowerMode({ ...base, modes: [] })).toEqual({
      kind: "none",
      rule: "no-modes",
      thermalCap: 0,
      cap: null,
      refused: null,
    });
  });

  test("a mode the board does not have is refused and demand decides", () => {
    const decision = decidePowerMode({ ...base, desiredMode: "900W", forecastPathMaxQps: 400 });
    expect(decision).toMatchObject({
      kind: "switch",
      modeId: 0,
      refused: { rule: "unknown-mode", mode: "900W", knownModes: ["MAXN", "12W", "7W"] },
    });
  });

  describe("heat", () => {
    test.each([
      [
        "at the limit the next mode is the highest allowed",
        { temperatureC: 90, currentModeId: 0, forecastPathMaxQps: 999 },
        1,
        1,
      ],
      [
        "a minute later still hot: one further",
        {
          temperatureC: 91,
          currentModeId: 1,
          thermalCap: 1,
          thermalCapChangedMs: 10 * hour - 60_000,
          forecastPathMaxQps: 999,
        },
        2,
        2,
      ],
      [
        "less than a minute later: wait",
        {
          temperatureC: 91,
          currentModeId: 1,
          thermalCap: 1,
          thermalCapChangedMs: 10 * hour - 59_999,
          forecastPathMaxQps: 999,
        },
        1,
        1,
      ],
      [
        "up to the hysteresis below the limit the cap stays",
        { temperatureC: 85, currentModeId: 1, thermalCap: 1, forecastPathMaxQps: 999 },
        1,
        1,
      ],
      [
        "one mode at a time: down",
        { modes: unknown, temperatureC: 91, currentModeId: 0, forecastPathMaxQps: 999 },
        1,
        1,
      ],
      [
        "one mode at a time: back up",
        { modes: unknown, temperatureC: 50, currentModeId: 3, thermalCap: 3, forecastPathMaxQps: 999 },
        2,
        2,
      ],
      [
        "cool again within the minute: wait",
        {
          temperatureC: 50,
          currentModeId: 1,
          thermalCap: 1,
          thermalCapChangedMs: 10 * hour - 59_999,
          forecastPathMaxQps: 999,
        },
        1,
        1,
      ],
      ["cool without a cap: none", { temperatureC: 50 }, 0, 1],
      ["just below the limit: no cap", { temperatureC: 89.9, currentModeId: 0, forecastPathMaxQps: 999 }, 0, 0],
      ["a cap from before an update that took modes away", { thermalCap: 9, forecastPathMaxQps: 999 }, 2, 2],
      ["hot: one below the present mode, which is below the cap", { temperatureC: 95, forecastPathMaxQps: 999 }, 2, 2],
      ["hot in a mode that is not known: one below the cap", { temperatureC: 95, currentModeId: 7 }, 1, 1],
      [
        "never beyond the lowest",
        { temperatureC: 120, currentModeId: 2, thermalCap: 2, forecastPathMaxQps: 999 },
        2,
        2,
      ],
      [
        "cooling but not enough: the cap stays",
        { temperatureC: 86, currentModeId: 1, thermalCap: 1, forecastPathMaxQps: 999 },
        1,
        1,
      ],
      [
        "cool: the cap is lifted",
        { temperatureC: 84.9, currentModeId: 1, thermalCap: 1, forecastPathMaxQps: 999 },
        0,
        0,
      ],
      ["it comes before what the controller holds", { temperatureC: 95, currentModeId: 0, desiredMode: "MAXN" }, 1, 1],
      [
        "without a reading the cap stays as it is",
        { temperatureC: null, currentModeId: 1, thermalCap: 1, forecastPathMaxQps: 999 },
        1,
        1,
      ],
    ] as [string, Partial<PowerModeInputs>, number, number][])("%s", (_name, change, cap, modeId) => {
      const decision = decidePowerMode({ ...base, ...change });
      expect(decision.thermalCap).toBe(cap);
      expect(decision).toMatchObject({ modeId });
    });
  });

  test("over any demand it never steps down sooner than the dwell, and never stays below what the demand needs", () => {
    let state = 12_345;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state / 2_147_483_648;
    };
    let currentModeId: number | null = 0;
    let lastSwitchMs: number | null = null;
    let downs = 0;
    for (let step = 0; step < 5000; step += 1) {
      const nowMs = step * 15_000;
      const inputs = {
        ...base,
        nowMs,
        currentModeId,
        lastSwitchMs,
        forecastPathMaxQps: random() ** 2 * 400,
        liveQps: random() ** 2 * 300,
      };
      const decision = decidePowerMode(inputs);
      expect(decidePowerMode(inputs)).toEqual(decision);
      if (decision.kind === "switch") {
        if (decision.modeId > (currentModeId ?? 0)) {
          downs += 1;
          if (lastSwitchMs !== null) expect(nowMs - lastSwitchMs).toBeGreaterThanOrEqual(300_000);
        }
        currentModeId = decision.modeId;
        lastSwitchMs = nowMs;
      }
      const demandQps = Math.max(inputs.forecastPathMaxQps, inputs.liveQps);
      const capacityQps = classic.find(({ id }) => id === currentModeId)?.capacityQps as number;
      if (currentModeId !== 0) expect(demandQps).toBeLessThanOrEqual(capacityQps * policy.targetUtilization);
    }
    expect(downs).toBeGreaterThan(10);
  });
});

describe("a mode that the board refuses to enter", () => {
  const refused = (...ids: number[]) => ids.map((modeId) => ({ modeId, reason: "exit code 255" }));
  const fixed = (fixedMode: string) => ({ policy: { ...policy, kind: "fixed", fixedMode } as const });
  // MAXN 0, 120W 1, 90W 2, 70W 3
  test.each([
    ["fixed: the next less capable one", { ...fixed("MAXN"), unreachable: refused(0) }, 1, "MAXN"],
    ["two of them: the one after", { ...fixed("MAXN"), currentModeId: 3, unreachable: refused(0, 1) }, 2, "MAXN"],
    ["the least capable one: the next more capable", { ...fixed("70W"), unreachable: refused(3) }, 2, "70W"],
    ["held by the controller", { desiredMode: "MAXN", unreachable: refused(0) }, 1, "MAXN"],
    ["needed by demand: the most capable that can be", { liveQps: 900, unreachable: refused(0) }, 1, "MAXN"],
    ["enough for the demand: one that carries more", { currentModeId: 3, unreachable: refused(1) }, 0, "120W"],
    ["standby", { role: "standby" as const, unreachable: refused(3) }, 2, "70W"],
    ["under a cap nothing above it", { desiredModeCap: "90W", liveQps: 900, unreachable: refused(2) }, 3, "90W"],
    [
      "none that can be entered but the present one",
      { ...fixed("MAXN"), currentModeId: 2, unreachable: refused(0, 1, 3) },
      2,
      "MAXN",
    ],
  ] as [string, Partial<PowerModeInputs>, number, string][])("%s", (_name, change, modeId, wanted) => {
    const decision = decidePowerMode({ ...base, modes: unknown, ...change });
    expect(decision).toMatchObject({ modeId, passedOver: { mode: wanted, reason: "exit code 255" } });
    expect(explainPowerMode(decision)).toStartWith(`${wanted} can't be entered (exit code 255): `);
  });

  test.each([
    ["the present one can be kept", { ...fixed("MAXN"), currentModeId: 0, unreachable: refused(0) }, 0],
    ["another one matters not", { ...fixed("MAXN"), unreachable: refused(2) }, 0],
    [
      "none can be entered: the wanted one is tried",
      { ...fixed("MAXN"), currentModeId: null, unreachable: refused(0, 1, 2, 3) },
      0,
    ],
  ] as [string, Partial<PowerModeInputs>, number][])("%s", (_name, change, modeId) => {
    const decision = decidePowerMode({ ...base, modes: unknown, ...change });
    expect(decision).toMatchObject({ modeId });
    expect(decision).not.toHaveProperty("passedOver");
  });
});

describe("what a file may ask", () => {
  const least = { policy: {}, modes: classic, nowMs: 1 };

  test("an agent that serves and knows nothing else", () => {
    expect<unknown>(parseConfig(PowerModeInputs, least, "x")).toEqual({
      ...base,
      modes: [...classic],
      currentModeId: null,
      forecastPathMaxQps: null,
      liveQps: null,
      temperatureC: null,
      nowMs: 1,
    });
  });

  const rates = { servingForMs: 0, forecastPathMaxQps: 0, forecastUpperQps: 0, liveQps: 0 };
  const negative = { servingForMs: -0.1, forecastPathMaxQps: -0.1, forecastUpperQps: -0.1, liveQps: -0.1 };
  test.each([
    ["nothing", { ...rates, switchesInLastDay: 0, thermalCap: 0 }, []],
    [
      "less than nothing",
      { ...negative, switchesInLastDay: -1, thermalCap: -1 },
      ["switchesInLastDay", ...Object.keys(rates), "thermalCap"],
    ],
    ["32 modes", { modes: new Array(32).fill(classic[0]) }, []],
    ["33 modes", { modes: new Array(33).fill(classic[0]) }, ["modes"]],
    ["an unknown field", { rate: 1 }, ["rate"]],
  ])("%s", (_name, input, fields) => {
    expect(wrongFields(PowerModeInputs, { ...least, ...input })).toEqual(fields);
  });
});
