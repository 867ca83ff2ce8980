import { describe, expect, test } from "bun:test";
import { decideReturn, noHoldOff, type WatchedChange } from "#controller/scaling/slo/decide-return.ts";
import { explainReturn } from "#controller/scaling/slo/explain-return.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const nowMs = 100 * hourMs;

const change = (given: Partial<WatchedChange> = {}): WatchedChange => ({
  ...{ atMs: nowMs - 2 * minuteMs, kind: "scale-in", stoodBy: ["b"], modes: [], burnBefore: 0, ...given },
});
const lowered = (agentId: string, mode: string, given: Partial<WatchedChange> = {}) =>
  change({ kind: "lower-modes", stoodBy: [], modes: [{ agentId, mode }], ...given });

describe("changes that are taken back", () => {
  test.each<[string, WatchedChange[], number, object | null]>([
    ["nothing was changed", [], 99, null],
    ["users lost more than they may: the agent comes back", [change()], 2, { activate: ["b"], kinds: ["scale-in"] }],
    ["as much as they may", [change()], 1, null],
    ["no more than before", [change({ burnBefore: 5 })], 5, null],
    ["more than before, which was too much already", [change({ burnBefore: 5 })], 6, { burnBefore: 5, burn: 6 }],
    ["in the last minute of the ten", [change({ atMs: nowMs - 10 * minuteMs })], 2, { afterMs: 10 * minuteMs }],
    ["too long ago", [change({ atMs: nowMs - 10 * minuteMs - 1 })], 2, null],
    ["in the future, by a clock that was set back", [change({ atMs: nowMs + 1 })], 2, null],
    ["a mode", [lowered("a", "MAXN")], 2, { activate: [], modes: [{ agentId: "a", mode: "MAXN" }] }],
    [
      "a mode that was lowered twice: the first says what was before",
      [lowered("a", "MAXN", { atMs: nowMs - 3 * minuteMs }), lowered("a", "70W")],
      2,
      { modes: [{ agentId: "a", mode: "MAXN" }] },
    ],
    [
      "several changes",
      [change({ atMs: nowMs - 3 * minuteMs }), change({ stoodBy: ["c", "b"], burnBefore: 1.5 })],
      2,
      { activate: ["b", "c"], kinds: ["scale-in"], afterMs: 2 * minuteMs, burnBefore: 1.5 },
    ],
    ["a policy", [change({ kind: "policy", stoodBy: [] })], 2, { kinds: ["policy"], activate: [] }],
  ])("%s", (_name, changes, burn, expected) => {
    const decision = decideReturn(changes, burn, noHoldOff, nowMs);
    if (expected === null) expect(decision).toBeNull();
    else expect(decision).toMatchObject({ rule: "returned", ...expected });
  });

  test.each([
    ["ten minutes the first time", 0, 0, 10],
    ["twice as long the second time", 10, 0, 20],
    ["and again", 20, 0, 40],
    ["four hours at most", 160, 0, 240],
    ["still within a day of the end of the last", 40, 24 * 60, 80],
    ["a day without one is a new beginning", 40, 24 * 60 + 1, 10],
  ])("nothing is taken away for %s", (_name, lastMinutes, endedMinutesAgo, minutes) => {
    const before =
      lastMinutes === 0 ? noHoldOff : { lengthMs: lastMinutes * minuteMs, untilMs: nowMs - endedMinutesAgo * minuteMs };
    const lengthMs = minutes * minuteMs;
    expect(decideReturn([change()], 2, before, nowMs)?.holdOff).toEqual({ lengthMs, untilMs: nowMs + lengthMs });
  });
});

test("its sentence", () => {
  const changes = [change(), lowered("a", "MAXN"), change({ kind: "policy", stoodBy: [] })];
  const decision = decideReturn(changes, 12.34, noHoldOff, nowMs)!;
  expect(explainReturn(decision, "users were refused 43 of 60 requests/s in the last 10 s")).toBe(
    "users were refused 43 of 60 requests/s in the last 10 s, since agents were put on standby, power modes were lowered and the scaling policy changed 2 min ago (error budget used at 12.3 times the allowed rate, before 0) -> switch on b again, a back to MAXN, the previous policy is in force again until its file changes; no capacity is removed for 10 min",
  );
  expect(explainReturn(decision, null)).toStartWith("the SLO is being missed, since");
});
