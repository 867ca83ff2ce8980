import { describe, expect, test } from "bun:test";
import { decideSleep, type SleepDecision, SleepInputs } from "#agent/power/sleep/decide-sleep.ts";
import { decideWake, type SleepingPeer } from "#agent/power/sleep/decide-wake.ts";
import { explainSleep } from "#agent/power/sleep/explain-sleep.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { wrongFields } from "../../../fakes/wrong-fields.ts";

const base: SleepInputs = {
  canSuspend: true,
  afterMs: 900_000,
  role: "standby",
  standbySinceMs: 0,
  requestsInFlight: 0,
  outboxRecords: 0,
  controllerOnline: true,
  servingPeers: 1,
  boardInUse: null,
  nowMs: 900_000,
};
const tooSoon = (standbyMs: number) => ({ kind: "stay", rule: "too-soon", standbyMs, afterMs: 900_000 });

test.each([
  ["long enough with nothing to do", {}, { kind: "sleep", rule: "idle", standbyMs: 900_000 }],
  [
    "counted from the start of the standby",
    { standbySinceMs: 600_000, nowMs: 1_500_000 },
    { kind: "sleep", rule: "idle", standbyMs: 900_000 },
  ],
  ["and not before", { standbySinceMs: 600_000, nowMs: 1_499_999 }, tooSoon(899_999)],
  ["a moment too short", { nowMs: 899_999 }, tooSoon(899_999)],
  ["a clock set back", { nowMs: -5 }, tooSoon(0)],
  ["a time that is not a number", { nowMs: Number.NaN }, tooSoon(Number.NaN)],
  ["off by default", { canSuspend: false }, { kind: "stay", rule: "no-command" }],
  ["it serves", { role: "active", standbySinceMs: null }, { kind: "stay", rule: "role", role: "active" }],
  ["it serves since a moment ago", { role: "active" }, { kind: "stay", rule: "role", role: "active" }],
  ["its standby has not begun", { standbySinceMs: null }, { kind: "stay", rule: "role", role: "standby" }],
  ["it drains", { role: "draining" }, { kind: "stay", rule: "role", role: "draining" }],
  ["requests in flight", { requestsInFlight: 1 }, { kind: "stay", rule: "in-flight", requests: 1 }],
  ["records to send", { outboxRecords: 1 }, { kind: "stay", rule: "unsent", records: 1 }],
  ["no controller to ask for it", { controllerOnline: false }, { kind: "stay", rule: "no-controller" }],
  ["no peer to wake it", { servingPeers: 0 }, { kind: "stay", rule: "no-peer" }],
  [
    "a calibration is at work",
    { boardInUse: "calibrating" },
    { kind: "stay", rule: "board-in-use", use: "calibrating" },
  ],
] as [string, Partial<SleepInputs>, SleepDecision][])("sleep: %s", (_name, change, expected) => {
  expect(decideSleep({ ...base, ...change })).toEqual(expected);
});

test.each([
  [{ kind: "sleep", rule: "idle", standbyMs: 900_000 }, "on standby for 900 s with nothing to do"],
  [tooSoon(60_400), "on standby for only 60 s of 900 s"],
  [{ kind: "stay", rule: "no-command" }, "no command to suspend the device is configured"],
  [{ kind: "stay", rule: "role", role: "active" }, "its role is active"],
  [{ kind: "stay", rule: "board-in-use", use: "calibrating" }, "calibrating"],
  [{ kind: "stay", rule: "in-flight", requests: 2 }, "2 requests are in flight"],
  [{ kind: "stay", rule: "no-controller" }, "no controller is online that could ask for it again"],
  [{ kind: "stay", rule: "no-peer" }, "no other agent serves and could wake it"],
  [{ kind: "stay", rule: "unsent", records: 3 }, "3 records must be sent first"],
] as [SleepDecision, string][])("%j is explained", (decision, sentence) => {
  expect(explainSleep(decision)).toBe(sentence);
});

describe("wake", () => {
  const peer = (agentId: string, change: Partial<SleepingPeer> = {}): SleepingPeer => ({
    agentId,
    desiredRole: "active",
    triedAtMs: null,
    ...change,
  });
  test.each([
    ["one that is wanted", [peer("b")], ["b"]],
    ["one that may sleep on", [peer("b", { desiredRole: "standby" })], []],
    ["one nobody has decided about", [peer("b", { desiredRole: null })], []],
    ["one that was tried just now", [peer("b", { triedAtMs: 40_001 })], []],
    ["one that was tried this very moment", [peer("b", { triedAtMs: 100_000 })], []],
    ["one that still sleeps after a while", [peer("b", { triedAtMs: 40_000 }), peer("c")], ["b", "c"]],
    ["one that was tried in the future: the clock was set back", [peer("b", { triedAtMs: 200_000 })], ["b"]],
    ["nobody sleeps", [], []],
  ] as [string, SleepingPeer[], string[]][])("%s", (_name, sleeping, expected) => {
    expect(decideWake({ ownRole: "active", sleeping, retryMs: 60_000, nowMs: 100_000 })).toEqual(expected);
  });
  test("only who serves wakes others", () => {
    expect(decideWake({ ownRole: "standby", sleeping: [peer("b")], retryMs: 1, nowMs: 1 })).toEqual([]);
  });
});

test("a file needs only the time: a standby of a quarter of an hour is the default", () => {
  expect(parseConfig(SleepInputs, { nowMs: 900_000 }, "x")).toEqual({
    ...base,
    standbySinceMs: null,
    servingPeers: 0,
  });
  const least = { nowMs: -1, afterMs: 0, requestsInFlight: 0, outboxRecords: 0, servingPeers: 0 };
  expect(wrongFields(SleepInputs, least)).toEqual([]);
  expect(wrongFields(SleepInputs, { nowMs: 1, afterMs: -0.5, servingPeers: -1 })).toEqual(["afterMs", "servingPeers"]);
});
