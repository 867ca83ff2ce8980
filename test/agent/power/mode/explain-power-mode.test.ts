import { expect, test } from "bun:test";
import type { PowerModeDecision } from "#agent/power/mode/decide-power-mode.ts";
import { withReason } from "#agent/power/mode/explain-power-mode.ts";
import type { DemandBasis, PowerModeGrounds } from "#agent/power/mode/power-mode-choice.ts";

const peak: DemandBasis = { source: "forecast", qps: 150, upperQps: 221, hasForecast: true };
const live: DemandBasis = { source: "live", qps: 100, upperQps: null, hasForecast: false };
const mode = "70W";

const decided = (grounds: PowerModeGrounds, change: Partial<PowerModeDecision> = {}) =>
  withReason({
    kind: "hold",
    modeId: 1,
    thermalCap: 0,
    cap: null,
    refused: null,
    ...grounds,
    ...change,
  } as PowerModeDecision);

test.each([
  [{ rule: "no-modes" }, "the board has no power modes"],
  [{ rule: "held", mode }, "70W is held by the controller"],
  [{ rule: "standby" }, "standby: using the most frugal mode"],
  [
    { rule: "service-started" },
    "service has just started and the demand is not known yet: using the most capable mode",
  ],
  [{ rule: "configured", mode }, "70W is configured"],
  [
    { rule: "configured-mode-unknown", mode },
    "this board has no mode 70W, which the configuration names: using the most capable mode",
  ],
  [{ rule: "no-rate" }, "no forecast and no live rate: using the most capable mode"],
  [{ rule: "carries", mode, demand: live }, "70W carries the live rate of 100 qps (no forecast available)"],
  [
    { rule: "carries", mode, demand: { ...live, qps: 123.456, hasForecast: true } },
    "70W carries the live rate of 123 qps",
  ],
  [{ rule: "carries", mode, demand: { ...peak, upperQps: null } }, "70W carries the forecast maximum of 150 qps"],
  [{ rule: "needs", mode, demand: peak }, "the forecast maximum of 150 qps (upper bound 221 qps) needs 70W"],
  [
    { rule: "near-limit", mode, demand: live },
    "the live rate of 100 qps (no forecast available) is too close to the limit of 70W to step down",
  ],
  [
    { rule: "saves-too-little", mode, demand: peak, savedJ: 130.4, costJ: 260, windowS: 900 },
    "70W would carry the forecast maximum of 150 qps (upper bound 221 qps), but it saves only 130 J in 15 minutes, and two switches cost 260 J",
  ],
  [
    { rule: "no-switches-left", mode, demand: peak, switchesInLastDay: 39 },
    "70W would carry the forecast maximum of 150 qps (upper bound 221 qps), but there were already 39 switches in the last 24 hours",
  ],
  [
    { rule: "dwell", mode, demand: peak, dwellMs: 524_600 },
    "70W would carry the forecast maximum of 150 qps (upper bound 221 qps), but a mode is kept for 525 s after a switch",
  ],
] as [PowerModeGrounds, string][])("%j", (grounds, sentence) => {
  expect(decided(grounds)).toMatchObject({ ...grounds, reason: sentence, refused: null });
});

test("a cap is named before the choice that it forbids, and is the reason of the refusal", () => {
  const cap = { by: "controller", mode: "90W" } as const;
  const refused = { rule: "capped", mode: "MAXN" } as const;
  const reason = "capped at 90W by the controller (MAXN is held by the controller)";
  const decision = decided({ rule: "held", mode: "MAXN" }, { cap, refused });
  expect(decision).toMatchObject({ reason, refused: { ...refused, reason } });
  expect(decided({ rule: "no-rate" }, { cap: { by: "heat", mode: "90W", temperatureC: 91.5 } }).reason).toBe(
    "91.5 °C: capped at 90W (no forecast and no live rate: using the most capable mode)",
  );
});

test("a mode that the board does not have is refused with the modes that it has", () => {
  const refused = { rule: "unknown-mode", mode: "9W", knownModes: ["MAXN", "70W"] } as const;
  expect(decided({ rule: "no-rate" }, { refused }).refused).toEqual({
    ...refused,
    reason: "not among the modes that this board can enter: MAXN, 70W",
  });
});
