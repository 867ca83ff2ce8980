import { describe, expect, test } from "bun:test";
import { decideLane, type LaneView } from "#agent/serving/decide-lane.ts";

const wide: LaneView = { kind: "wide", ready: true, busy: false };
const narrow: LaneView = { kind: "narrow", ready: true, busy: false };
const busy = (lane: LaneView): LaneView => ({ ...lane, busy: true });
const loading = (lane: LaneView): LaneView => ({ ...lane, ready: false });

describe("decideLane", () => {
  test.each([
    { name: "no lane at all", lanes: [], long: true, lane: null },
    { name: "the only one, free", lanes: [wide], long: false, lane: 0 },
    { name: "the only one, busy", lanes: [busy(wide)], long: true, lane: null },
    { name: "all free, little waits", lanes: [wide, narrow, narrow], long: false, lane: 0 },
    { name: "all free, a long line", lanes: [wide, narrow, narrow], long: true, lane: 1 },
    { name: "never narrow beside wide", lanes: [busy(wide), narrow, narrow], long: true, lane: null },
    { name: "never wide beside narrow", lanes: [wide, busy(narrow), busy(narrow)], long: false, lane: null },
    { name: "the other narrow one", lanes: [wide, busy(narrow), narrow], long: true, lane: 2 },
    { name: "the other narrow one, although little waits", lanes: [wide, busy(narrow), narrow], long: false, lane: 2 },
    { name: "narrow ones that still load", lanes: [wide, loading(narrow), loading(narrow)], long: true, lane: 0 },
    { name: "one that loads beside a busy one", lanes: [wide, busy(narrow), loading(narrow)], long: true, lane: null },
    { name: "the only narrow one that has loaded", lanes: [wide, loading(narrow), narrow], long: true, lane: 2 },
  ])("$name", ({ lanes, long, lane }) => {
    const decision = decideLane(lanes, long);
    expect(decision.lane).toBe(lane);
    expect(decision.reason).not.toBe("");
  });
});
