import { describe, expect, test } from "bun:test";
import { decideSleep, type SleepInputs } from "#agent/power/sleep/decide-sleep.ts";
import { decideWake, type SleepingPeer } from "#agent/power/sleep/decide-wake.ts";

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

test.each([
  ["long enough with nothing to do", {}, "sleep", /stood by for 900 s/],
  ["counted from when it was told to stand by", { standbySinceMs: 600_000, nowMs: 1_500_000 }, "sleep", /for 900 s/],
  ["and not before", { standbySinceMs: 600_000, nowMs: 1_499_999 }, "stay", /for 900 s/],
  ["a moment too short", { nowMs: 899_999 }, "stay", /stood by for 900 s/],
  ["a clock set back", { nowMs: -5 }, "stay", /stood by for 0 s/],
  ["a time that is no number", { nowMs: Number.NaN }, "stay", /./],
  ["off by default", { canSuspend: false }, "stay", /no command/],
  ["it serves", { role: "active", standbySinceMs: null }, "stay", /role is active/],
  ["it drains", { role: "draining" }, "stay", /role is draining/],
  ["requests in flight", { requestsInFlight: 2 }, "stay", /2 requests/],
  ["records to send", { outboxRecords: 1 }, "stay", /1 records/],
  ["nobody would want it", { controllerOnline: false }, "stay", /no controller/],
  ["nobody would wake it", { servingPeers: 0 }, "stay", /no other agent serves/],
  ["a calibration is at work", { boardInUse: "thormesh calibrate is at work" }, "stay", /calibrate/],
] as [string, Partial<SleepInputs>, string, RegExp][])("sleep: %s", (_name, change, kind, reason) => {
  const decision = decideSleep({ ...base, ...change });
  expect(decision.kind).toBe(kind as never);
  expect(decision.reason).toMatch(reason);
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
