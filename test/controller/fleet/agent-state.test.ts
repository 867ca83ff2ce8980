import { describe, expect, test } from "bun:test";
import {
  type AgentState,
  availabilityOf,
  liveQpsOf,
  maxAheadMs,
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  offeredOf,
  ownRoleOf,
  type RebirthCause,
  recentLatencyMs,
  recentMinutes,
  requestsOf,
  textsOf,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import { emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, anAgent, aPresence, aReported } from "../../fakes/builders.ts";

const nowMs = 10_000_000;
const minute = (seq: number, given: Parameters<typeof aMinute>[0] = {}) =>
  aMinute({ seq, minuteStartMs: seq * 60_000, ...given });
const seqs = (state: AgentState) => state.recent.map(({ seq }) => seq);

describe("causes for a rebirth", () => {
  const known = anAgent({ minutes: [minute(1)] });
  test.each<[string, AgentState, MinuteData, readonly RebirthCause[]]>([
    ["the next minute", known, minute(2), []],
    ["the first minute", anAgent(), minute(1), []],
    ["one minute missing", known, minute(3), [{ rule: "missing-records", records: 1, beforeSeq: 3 }]],
    ["three missing at the start", anAgent(), minute(4), [{ rule: "missing-records", records: 3, beforeSeq: 4 }]],
    ["an earlier minute", anAgent({ minutes: [minute(5)] }), minute(2), []],
    ["no birth yet", anAgent({ birth: null }), minute(1), [{ rule: "no-birth" }]],
    [
      "no birth and minutes missing",
      anAgent({ birth: null }),
      minute(2),
      [{ rule: "missing-records", records: 1, beforeSeq: 2 }, { rule: "no-birth" }],
    ],
    [
      "the birth of an earlier boot only",
      anAgent({ presence: null, birth: { bootId: "boot-1" }, reported: null }),
      minute(1, { bootId: "boot-2" }),
      [{ rule: "unknown-boot", bootId: "boot-2" }],
    ],
    [
      "a presence of this boot over an earlier birth",
      observePresence(anAgent({ presence: null }), aPresence({ bootId: "boot-2" }), 0) as AgentState,
      minute(1, { bootId: "boot-2" }),
      [{ rule: "no-birth" }],
    ],
    ["live data of another boot", known, minute(1, { bootId: "boot-2" }), [{ rule: "unknown-boot", bootId: "boot-2" }]],
    ["history of another boot", known, minute(1, { bootId: "boot-2", historical: true }), []],
    [
      "live data before any other message",
      anAgent({ presence: null, birth: null }),
      minute(1),
      [{ rule: "unknown-boot", bootId: "boot-1" }],
    ],
  ])("%s", (_name, state, data, rebirth) => {
    expect(observeMinute(state, data, nowMs).rebirth).toEqual(rebirth);
  });
});

describe("a minute", () => {
  test("of this boot counts as live and moves seq and the time of the last word", () => {
    const { state } = observeMinute(anAgent(), minute(1), nowMs);
    expect(state).toMatchObject({ lastSeq: 1, lastHeardMs: nowMs });
    expect(seqs(state)).toEqual([1]);
  });

  test.each<[string, AgentState, MinuteData, { seqs: number[]; lastSeq: number }]>([
    ["that is historical", anAgent(), minute(1, { historical: true }), { seqs: [], lastSeq: 1 }],
    ["of another boot", anAgent(), minute(1, { bootId: "boot-2" }), { seqs: [], lastSeq: 0 }],
    ["as far ahead as may be", anAgent(), minute(1, { minuteStartMs: nowMs + maxAheadMs }), { seqs: [1], lastSeq: 1 }],
    ["further ahead", anAgent(), minute(1, { minuteStartMs: nowMs + maxAheadMs + 1 }), { seqs: [], lastSeq: 1 }],
    [
      "older than the newest",
      anAgent({ minutes: [minute(5)] }),
      minute(6, { minuteStartMs: 240_000 }),
      { seqs: [5], lastSeq: 6 },
    ],
    [
      "older than the newest, later than the first",
      anAgent({ minutes: [minute(1), minute(5)] }),
      minute(6, { minuteStartMs: 240_000 }),
      { seqs: [1, 5], lastSeq: 6 },
    ],
    [
      "of a lower seq but later",
      anAgent({ minutes: [minute(5)] }),
      minute(4, { minuteStartMs: 360_000 }),
      {
        seqs: [5, 4],
        lastSeq: 5,
      },
    ],
    [
      "at the same time with a higher seq",
      anAgent({ minutes: [minute(5)] }),
      minute(6, { minuteStartMs: 300_000 }),
      {
        seqs: [5, 6],
        lastSeq: 6,
      },
    ],
    ["at the same time with the same seq", anAgent({ minutes: [minute(5)] }), minute(5), { seqs: [5], lastSeq: 5 }],
  ])("%s", (_name, before, data, expected) => {
    const { state } = observeMinute(before, data, nowMs);
    expect({ seqs: seqs(state), lastSeq: state.lastSeq }).toEqual(expected);
  });

  test("pushes out the oldest beyond the kept ones", () => {
    const minutes = Array.from({ length: recentMinutes + 2 }, (_, index) => minute(index + 1));
    expect(seqs(anAgent({ nowMs, minutes }))).toEqual([3, 4, 5, 6, 7]);
  });

  test("that is ahead after the clock was set back is dropped", () => {
    const before = anAgent({ nowMs, minutes: [minute(1), minute(2, { minuteStartMs: nowMs })] });
    expect(seqs(before)).toEqual([1, 2]);
    const { state } = observeMinute(before, minute(3), nowMs - maxAheadMs - 1);
    expect(seqs(state)).toEqual([1, 3]);
  });
});

test("ten minutes ahead are allowed", () => expect(maxAheadMs).toBe(600_000));

test("of an unknown agent there is nothing but its id", () => {
  expect(unknownAgent("a", 5)).toEqual({
    ...{ agentId: "a", bootId: null, presence: null, birth: null, reported: null, reportedAtMs: null },
    ...{ lastHeardMs: 5, lastSeq: 0, recent: [], beats: [] },
  });
});

describe("boots", () => {
  test("a new boot's presence or birth begins a new session", () => {
    const before = anAgent({ minutes: [minute(1)] });
    for (const state of [
      observePresence(before, aPresence({ bootId: "boot-2" }), nowMs) as AgentState,
      observeBirth(before, aBirth({ bootId: "boot-2" }), nowMs),
    ]) {
      expect(state).toMatchObject({ bootId: "boot-2", lastSeq: 0, lastHeardMs: nowMs });
      expect(seqs(state)).toEqual([]);
    }
  });

  test("the same boot's presence and birth keep the session", () => {
    const before = anAgent({ minutes: [minute(1)] });
    for (const state of [observePresence(before, aPresence(), nowMs), observeBirth(before, aBirth(), nowMs)])
      expect(state).toMatchObject({ lastSeq: 1, recent: [{ seq: 1 }] });
  });

  test.each<[string, AgentState, "online" | "offline", string, boolean]>([
    ["the will of this boot", anAgent(), "offline", "boot-1", true],
    ["the will of another boot", anAgent(), "offline", "boot-0", false],
    ["the will of an unknown agent", anAgent({ presence: null, birth: null }), "offline", "boot-0", true],
    ["another boot online", anAgent(), "online", "boot-0", true],
  ])("%s", (_name, before, status, bootId, isTaken) => {
    expect(observePresence(before, aPresence({ status, bootId }), nowMs) !== null).toBe(isTaken);
  });

  test.each<[string, AgentState, string, boolean]>([
    ["a report of this boot", anAgent(), "boot-1", true],
    ["a report of another boot", anAgent(), "boot-0", false],
    ["a report before any boot is known", anAgent({ presence: null, birth: null }), "boot-0", true],
  ])("%s", (_name, before, bootId, isTaken) => {
    const state = observeReported(before, aReported({ bootId }), nowMs);
    if (!isTaken) expect(state).toBeNull();
    else expect(state).toMatchObject({ reportedAtMs: nowMs, lastHeardMs: nowMs, reported: { bootId } });
  });
});

describe("availability", () => {
  test.each<[string, AgentState, number, string | null]>([
    ["without a presence", anAgent({ presence: null }), 0, "has not introduced itself"],
    ["offline", anAgent({ presence: { status: "offline" } }), 0, "offline"],
    ["heard of in time", anAgent({ nowMs: 0 }), 180_000, null],
    ["silent for too long", anAgent({ nowMs: 0 }), 180_001, "not heard from for 180 s"],
    ["asleep and silent", anAgent({ nowMs: 0, presence: { asleep: { mac: null } } }), 1e9, null],
    ["asleep and offline", anAgent({ presence: { status: "offline", asleep: { mac: null } } }), 0, "offline"],
  ])("%s", (_name, state, atMs, reason) => {
    expect(availabilityOf(state, atMs, 180_000)).toEqual(
      reason === null ? { online: true } : { online: false, reason },
    );
  });
});

describe("figures", () => {
  const two = minute(1, {});
  two.traffic.models = [
    { ...aModel("a", 60), texts: 600 },
    { ...aModel("b", 30), texts: 300 },
  ];
  test("requests and texts are those of all models", () => {
    expect([requestsOf(two), textsOf(two)]).toEqual([90, 900]);
  });

  test("the live rate is the mean of the newest minutes", () => {
    const state = anAgent({ minutes: [minute(1, { requests: 60 }), minute(2, { requests: 180 })] });
    expect([liveQpsOf(state), liveQpsOf(state, 2), liveQpsOf(state, 9), liveQpsOf(anAgent())]).toEqual([3, 2, 2, null]);
  });

  test("latencies of several agents and models add up", () => {
    const fast = anAgent({ minutes: [two] });
    const slow = minute(1);
    const latencyCounts = emptyLatencyCounts();
    latencyCounts[20] = 810;
    slow.traffic.models = [{ ...aModel("a", 810), latencyCounts }];
    expect(recentLatencyMs([fast], 1)).toBe(10);
    expect(recentLatencyMs([fast, anAgent({ minutes: [slow] })], 0.1)).toBeCloseTo(10);
    expect(recentLatencyMs([fast, anAgent({ minutes: [slow] })], 1)).toBe(2500);
    expect(recentLatencyMs([anAgent()], 0.5)).toBeNull();
  });

  test.each<[string, AgentState, string | null]>([
    ["nothing", anAgent({ presence: null, birth: null }), null],
    ["a presence", anAgent({ presence: { role: "standby" } }), "standby"],
    [
      "an earlier report",
      anAgent({ presence: { role: "standby", sentAtMs: 2 }, reported: { sentAtMs: 1 } }),
      "standby",
    ],
    [
      "a report at the same time",
      anAgent({ presence: { role: "standby" }, reported: { role: "draining" } }),
      "draining",
    ],
    ["a later report", anAgent({ presence: { role: "standby", sentAtMs: 1 }, reported: { sentAtMs: 2 } }), "active"],
    ["a report alone", anAgent({ presence: null, reported: { role: "draining" } }), "draining"],
  ])("the own role after %s", (_name, state, role) => {
    expect(ownRoleOf(state)).toBe(role as never);
  });
});

test("requests and texts of a minute are those of all its models, also those that were not answered", () => {
  const models = [
    { ...aModel("a", 3), texts: 30 },
    { ...aModel("b", 4), texts: 12 },
  ];
  const { traffic } = aMinute();
  const data = { traffic: { ...traffic, models } };
  expect([requestsOf(data), textsOf(data), offeredOf(data)]).toEqual([7, 42, 42]);
  const none = { traffic: { ...traffic, models: [] } };
  expect([requestsOf(none), textsOf(none), offeredOf(none)]).toEqual([0, 0, 0]);
});
