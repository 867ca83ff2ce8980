import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { noHoldOff, type WatchedChange } from "#controller/scaling/slo/decide-return.ts";
import { fromKept, KeptChanges, toKept } from "#controller/scaling/slo/kept-changes.ts";
import { minuteMs } from "#platform/time.ts";

const nowMs = 1_800_000_000_000;
const change = (atMs: number): WatchedChange => ({
  ...{ atMs, kind: "scale-in", stoodBy: ["a"], modes: [{ agentId: "b", mode: "MAXN" }], burnBefore: 0.5 },
});

test("comes back as it was, in whole milliseconds", () => {
  const kept = toKept([change(nowMs - 0.4)], { untilMs: nowMs + 1_000.2, lengthMs: 600_000 });
  expect(Value.Check(KeptChanges, kept)).toBe(true);
  expect(fromKept(JSON.parse(JSON.stringify(kept)), nowMs)).toEqual({
    changes: [change(nowMs)],
    holdOff: { untilMs: nowMs + 1_000, lengthMs: 600_000 },
  });
});

test("nothing was held off", () => {
  const kept = toKept([], noHoldOff);
  expect(kept).toEqual({ changes: [], holdOff: null });
  expect(fromKept(kept, nowMs)).toEqual({ changes: [], holdOff: noHoldOff });
});

describe("after a while", () => {
  test("only changes of the last ten minutes are watched", () => {
    const kept = toKept([change(nowMs), change(nowMs + minuteMs)], noHoldOff);
    expect(fromKept(kept, nowMs + 10 * minuteMs).changes).toHaveLength(2);
    expect(fromKept(kept, nowMs + 10 * minuteMs + 1).changes).toEqual([change(nowMs + minuteMs)]);
    expect(fromKept(kept, nowMs - 9 * minuteMs - 1).changes).toEqual([change(nowMs)]);
  });

  test("a hold-off that is over still says how long the next one is; one that was set further than it is long does not count", () => {
    const kept = toKept([], { untilMs: nowMs, lengthMs: 600_000 });
    expect(fromKept(kept, nowMs + 1_000_000).holdOff).toEqual({ untilMs: nowMs, lengthMs: 600_000 });
    expect(fromKept(kept, nowMs - 600_000).holdOff).toEqual({ untilMs: nowMs, lengthMs: 600_000 });
    expect(fromKept(kept, nowMs - 600_001).holdOff).toEqual(noHoldOff);
  });
});

test.each([
  ["a negative burn rate", { changes: [{ ...change(nowMs), burnBefore: -1 }], holdOff: null }],
  ["another kind", { changes: [{ ...change(nowMs), kind: "scale-out" }], holdOff: null }],
  ["a hold-off of more than four hours", { changes: [], holdOff: { untilMs: nowMs, lengthMs: 14_400_001 } }],
  ["more than a thousand changes", { changes: new Array(1_001).fill(change(nowMs)), holdOff: null }],
])("%s is not read", (_name, document) => {
  expect(Value.Check(KeptChanges, document)).toBe(false);
});
