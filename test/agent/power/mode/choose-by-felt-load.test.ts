import { describe, expect, test } from "bun:test";
import { decidePowerMode, type PowerModeInputs } from "#agent/power/mode/decide-power-mode.ts";
import { withReason } from "#agent/power/mode/explain-power-mode.ts";
import { FeltLoad, missedSlo } from "#agent/power/mode/felt-load.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { wrongFields } from "../../../fakes/wrong-fields.ts";

const mode = (id: number, name: string, capacityQps: number, busyWatts: number) => ({
  id,
  name,
  capacityQps,
  busyWatts,
  idleWatts: 20,
});
const modes = [mode(0, "MAXN", 400, 130), mode(1, "120W", 350, 105), mode(2, "90W", 280, 78), mode(3, "70W", 220, 58)];
const nowMs = 36_000_000;
const well: FeltLoad = {
  requests: 100,
  refused: 0,
  p95Ms: 20,
  slo: { p95Ms: 1000, availability: 0.999 },
  missedAtMs: null,
  stepDown: null,
  heldOffUntilMs: null,
};
const refusing: FeltLoad = { ...well, requests: 90, refused: 10 };
/** The board whose demand the profile says is small: by it the least capable mode would do. */
const quiet: PowerModeInputs = {
  policy: parseConfig(PowerPolicy, {}, "test"),
  modes,
  currentModeId: 2,
  lastSwitchMs: null,
  switchesInLastDay: 0,
  role: "active",
  servingForMs: null,
  forecastPathMaxQps: 18,
  forecastUpperQps: null,
  liveQps: 18,
  desiredMode: null,
  desiredModeCap: null,
  desiredModeUntilMs: null,
  desiredModeCapUntilMs: null,
  temperatureC: 50,
  thermalCap: 0,
  thermalCapChangedMs: null,
  nowMs,
};
const decide = (felt: FeltLoad | null, more: Partial<PowerModeInputs> = {}) =>
  withReason(decidePowerMode({ ...quiet, ...(felt !== null && { felt }), ...more }));

describe("an SLO is", () => {
  test.each([
    { name: "kept without requests", felt: { requests: 0, refused: 0, p95Ms: null }, by: null },
    { name: "kept with a refusal in a thousand", felt: { requests: 999, refused: 1 }, by: null },
    { name: "missed by one more", felt: { requests: 998, refused: 2 }, by: "refusals" },
    { name: "missed when all are refused", felt: { requests: 0, refused: 1, p95Ms: null }, by: "refusals" },
    { name: "kept at the promised p95", felt: { p95Ms: 1000 }, by: null },
    { name: "missed beyond it", felt: { p95Ms: 1001 }, by: "p95" },
    { name: "missed with ten requests", felt: { requests: 10, p95Ms: 9999 }, by: "p95" },
    { name: "not judged by fewer", felt: { requests: 9, p95Ms: 9999 }, by: null },
  ] as const)("$name", ({ felt, by }) => {
    expect(missedSlo({ ...well, ...felt })?.by ?? null).toBe(by);
  });
});

test("a file names what it knows; the rest is nothing, and the agent's defaults", () => {
  expect(parseConfig(FeltLoad, {}, "test")).toEqual({ ...well, requests: 0, p95Ms: null });
  expect(parseConfig(FeltLoad, { stepDown: { fromModeId: 0, atMs: 5 }, p95Ms: 0 }, "test")).toMatchObject({
    ...{ stepDown: { fromModeId: 0, atMs: 5 }, p95Ms: 0 },
  });
  const wrong = { requests: -1, refused: 0.5, p95Ms: -1, other: 1, slo: { p95Ms: 0 } };
  expect(wrongFields(FeltLoad, wrong).sort()).toEqual(["other", "p95Ms", "refused", "requests", "slo.p95Ms"]);
});

describe("while users are refused or wait too long", () => {
  test("the next more capable mode is taken at once, whatever was computed and however short the dwell", () => {
    expect(decide(refusing, { lastSwitchMs: nowMs - 1, switchesInLastDay: 40 })).toMatchObject({
      kind: "switch",
      rule: "slo-missed",
      modeId: 1,
      mode: "120W",
      missed: { by: "refusals", requests: 90, refused: 10, p95Ms: 20 },
      reason: "10 of 100 requests were refused: using 120W",
    });
    expect(decide({ ...well, p95Ms: 7000 }).reason).toBe("the p95 of 100 requests was 7000 ms: using 120W");
  });

  test("the most capable one is kept", () => {
    expect(decide(refusing, { currentModeId: 0 })).toMatchObject({
      ...{ kind: "hold", modeId: 0, rule: "slo-missed", mode: "MAXN" },
    });
  });

  test("a more capable mode that demand needs is taken straight away", () => {
    expect(decide(refusing, { currentModeId: 3, liveQps: 390 })).toMatchObject({ kind: "switch", modeId: 0 });
  });

  test("so it is with thresholds", () => {
    const policy = parseConfig(PowerPolicy, { kind: "threshold" }, "test");
    expect(decide(refusing, { policy })).toMatchObject({ modeId: 1, rule: "slo-missed" });
  });

  test.each([
    { name: "heat", more: { thermalCap: 2, temperatureC: 88 }, modeId: 2, rule: "slo-missed" },
    { name: "the controller's cap", more: { desiredModeCap: "90W" }, modeId: 2, rule: "slo-missed" },
    { name: "a held mode", more: { desiredMode: "70W" }, modeId: 3, rule: "held" },
    { name: "standby", more: { role: "standby" as const }, modeId: 3, rule: "standby" },
  ])("$name comes first", ({ more, modeId, rule }) => {
    expect(decide(refusing, more)).toMatchObject({ modeId, rule });
  });

  test("a configured mode is kept", () => {
    const policy = parseConfig(PowerPolicy, { kind: "fixed", fixedMode: "70W" }, "test");
    expect(decide(refusing, { policy })).toMatchObject({ modeId: 3, rule: "configured" });
  });

  test("a board in an unknown mode gets the one that was computed", () => {
    expect(decide(refusing, { currentModeId: null })).toMatchObject({ rule: "needs", modeId: 3 });
  });
});

describe("after that", () => {
  test.each([
    { agoMs: 0, rule: "slo-missed-lately", modeId: 2 },
    { agoMs: 299_999, rule: "slo-missed-lately", modeId: 2 },
    { agoMs: 300_000, rule: "carries", modeId: 3 },
  ] as const)("no less capable mode for five minutes: $agoMs ms", ({ agoMs, rule, modeId }) => {
    expect(decide({ ...well, missedAtMs: nowMs - agoMs })).toMatchObject({ rule, modeId });
  });

  test("a clock that was set back makes no time negative", () => {
    expect(decide({ ...well, missedAtMs: nowMs + 5_000 })).toMatchObject({ rule: "slo-missed-lately", missedForMs: 0 });
  });

  test("the reason says so", () => {
    expect(decide({ ...well, missedAtMs: nowMs - 60_000 }).reason).toBe(
      "70W would carry the demand, but users waited too long or were refused 60 s ago: no step down for 300 s",
    );
  });

  test("a step up is made for demand as ever", () => {
    const felt = { ...well, missedAtMs: nowMs - 1, heldOffUntilMs: nowMs + 1 };
    expect(decide(felt, { liveQps: 390 })).toMatchObject({ rule: "needs", modeId: 0 });
    expect(decide(felt, { currentModeId: 3 })).toMatchObject({ rule: "carries", kind: "hold" });
  });
});

describe("a step down that cost the SLO", () => {
  const stepDown = { fromModeId: 0, atMs: nowMs - 60_000 };
  test("is taken back", () => {
    expect(decide({ ...refusing, stepDown })).toMatchObject({
      rule: "step-down-failed",
      modeId: 0,
      reason: "10 of 100 requests were refused after the last step down: back to MAXN",
    });
  });

  test.each([
    { name: "too long ago", stepDown: { ...stepDown, atMs: nowMs - 600_001 } },
    { name: "to the mode from before, which was set again", stepDown: { ...stepDown, fromModeId: 2 } },
    { name: "from a mode that is gone", stepDown: { ...stepDown, fromModeId: 9 } },
    { name: "from a less capable mode", stepDown: { ...stepDown, fromModeId: 3 } },
  ])("is not seen in one $name", ({ stepDown: other }) => {
    expect(decide({ ...refusing, stepDown: other })).toMatchObject({ rule: "slo-missed", modeId: 1 });
  });

  test("is seen for ten minutes", () => {
    const felt = { ...refusing, stepDown: { ...stepDown, atMs: nowMs - 600_000 } };
    expect(decide(felt).rule).toBe("step-down-failed");
  });

  test("is not repeated for a while", () => {
    expect(decide({ ...well, heldOffUntilMs: nowMs + 30_000 })).toMatchObject({
      rule: "held-off",
      modeId: 2,
      reason: "70W would carry the demand, but the last step down missed the SLO: none for another 30 s",
    });
    expect(decide({ ...well, heldOffUntilMs: nowMs })).toMatchObject({ rule: "carries", modeId: 3 });
  });
});

test("without knowledge of what users feel the computed mode is taken", () => {
  expect(decide(null)).toMatchObject({ rule: "carries", modeId: 3 });
});
