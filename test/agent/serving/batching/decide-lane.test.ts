import { describe, expect, test } from "bun:test";
import { decideLane, decideShare, type LaneView } from "#agent/serving/batching/decide-lane.ts";

const wide: LaneView = { kind: "wide", ready: true, batches: 0, mostBatches: 1 };
const narrow: LaneView = { kind: "narrow", ready: true, batches: 0, mostBatches: 2 };
const busy = (lane: LaneView, batches = 1): LaneView => ({ ...lane, batches });
const loading = (lane: LaneView): LaneView => ({ ...lane, ready: false });

interface Row {
  readonly name: string;
  readonly lanes: readonly LaneView[];
  readonly long: boolean;
  /** A full batch waits; it does unless said otherwise. */
  readonly full?: boolean;
  readonly owed?: boolean;
  readonly lane: number | null;
}

describe("decideLane", () => {
  test.each<Row>([
    { name: "no lane at all", lanes: [], long: true, lane: null },
    { name: "the only one, free", lanes: [wide], long: false, lane: 0 },
    { name: "the only one, busy", lanes: [busy(wide)], long: true, lane: null },
    { name: "a GPU, a full batch ahead", lanes: [{ ...busy(wide), mostBatches: 2 }], long: true, lane: 0 },
    {
      name: "a GPU, less than a full batch waits",
      lanes: [{ ...busy(wide), mostBatches: 2 }],
      long: true,
      full: false,
      lane: null,
    },
    { name: "a GPU with a batch ahead", lanes: [{ ...busy(wide, 2), mostBatches: 2 }], long: true, lane: null },
    { name: "all free, little waits", lanes: [wide, narrow, narrow], long: false, lane: 0 },
    { name: "all free, a long line", lanes: [wide, narrow, narrow], long: true, lane: 1 },
    { name: "never narrow beside wide", lanes: [busy(wide), narrow, narrow], long: true, lane: null },
    { name: "never wide beside narrow", lanes: [wide, busy(narrow, 2), busy(narrow, 2)], long: false, lane: null },
    { name: "one batch ahead", lanes: [wide, busy(narrow), busy(narrow)], long: true, lane: 1 },
    {
      name: "one batch ahead where there is none yet",
      lanes: [wide, busy(narrow, 2), busy(narrow)],
      long: true,
      lane: 2,
    },
    { name: "the other narrow one", lanes: [wide, busy(narrow), narrow], long: true, lane: 2 },
    { name: "the other narrow one, although little waits", lanes: [wide, busy(narrow), narrow], long: false, lane: 2 },
    { name: "narrow ones that still load", lanes: [wide, loading(narrow), loading(narrow)], long: true, lane: 0 },
    {
      name: "one that loads beside a busy one",
      lanes: [wide, busy(narrow, 2), loading(narrow)],
      long: true,
      lane: null,
    },
    {
      name: "who is owed time goes beside the others' batches",
      lanes: [wide, busy(narrow), busy(narrow, 2)],
      long: true,
      owed: true,
      lane: 0,
    },
    {
      name: "who is owed more waits for a place as others do",
      lanes: [busy(wide), busy(narrow), busy(narrow, 2)],
      long: true,
      owed: true,
      lane: 1,
    },
    { name: "who is owed time on a GPU", lanes: [busy(wide)], long: true, owed: true, lane: null },
    { name: "the only narrow one that has loaded", lanes: [wide, loading(narrow), narrow], long: true, lane: 2 },
  ])("$name", ({ lanes, long, full = true, owed = false, lane }) => {
    const decision = decideLane(lanes, long, full, owed);
    expect(decision.lane).toBe(lane);
    expect(decision.reason).not.toBe("");
  });
});

test.each([
  { name: "nothing to do", tokens: 0, lanes: 2, share: 128 },
  { name: "little to do is not cut into less than is worth a batch", tokens: 300, lanes: 2, share: 128 },
  { name: "a fair part of what there is", tokens: 600, lanes: 2, share: 150 },
  { name: "never more than a batch may be", tokens: 9_000, lanes: 2, share: 256 },
  { name: "no lanes", tokens: 400, lanes: 0, share: 200 },
])("decideShare: $name", ({ tokens, lanes, share }) => {
  expect(decideShare(tokens, lanes, 256)).toBe(share);
});

test("decideShare never exceeds a small limit", () => {
  expect(decideShare(9_000, 2, 64)).toBe(64);
});
