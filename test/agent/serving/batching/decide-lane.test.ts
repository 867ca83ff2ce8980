import { describe, expect, test } from "bun:test";
import { decideLane, decideShare, type LaneRule, type LaneView } from "#agent/serving/batching/decide-lane.ts";

const wide: LaneView = { kind: "wide", ready: true, batches: 0, maxBatches: 1 };
const narrow: LaneView = { kind: "narrow", ready: true, batches: 0, maxBatches: 2 };
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
  readonly rule: LaneRule;
}

describe("decideLane", () => {
  test.each<Row>([
    { name: "no lane at all", lanes: [], long: true, lane: null, rule: "no-lane" },
    {
      name: "a tenant that had too little, without a wide lane",
      lanes: [busy(narrow, 2)],
      long: true,
      owed: true,
      lane: null,
      rule: "narrow-busy",
    },
    { name: "the only one, free", lanes: [wide], long: false, lane: 0, rule: "short-queue" },
    { name: "the only one, busy", lanes: [busy(wide)], long: true, lane: null, rule: "wide-busy" },
    {
      name: "a GPU, a full batch ahead",
      lanes: [{ ...busy(wide), maxBatches: 2 }],
      long: true,
      lane: 0,
      rule: "full-batch-ahead",
    },
    {
      name: "a GPU, less than a full batch waits",
      lanes: [{ ...busy(wide), maxBatches: 2 }],
      long: true,
      full: false,
      lane: null,
      rule: "wide-busy",
    },
    {
      name: "a GPU with a batch ahead",
      lanes: [{ ...busy(wide, 2), maxBatches: 2 }],
      long: true,
      lane: null,
      rule: "wide-busy",
    },
    { name: "all free, a short queue", lanes: [wide, narrow, narrow], long: false, lane: 0, rule: "short-queue" },
    { name: "all free, a long queue", lanes: [wide, narrow, narrow], long: true, lane: 1, rule: "long-queue" },
    {
      name: "never narrow beside wide",
      lanes: [busy(wide), narrow, narrow],
      long: true,
      lane: null,
      rule: "wide-busy",
    },
    {
      name: "never wide beside narrow",
      lanes: [wide, busy(narrow, 2), busy(narrow, 2)],
      long: false,
      lane: null,
      rule: "narrow-busy",
    },
    { name: "one batch ahead", lanes: [wide, busy(narrow), busy(narrow)], long: true, lane: 1, rule: "long-queue" },
    {
      name: "one batch ahead where there is none yet",
      lanes: [wide, busy(narrow, 2), busy(narrow)],
      long: true,
      lane: 2,
      rule: "long-queue",
    },
    { name: "the other narrow one", lanes: [wide, busy(narrow), narrow], long: true, lane: 2, rule: "long-queue" },
    {
      name: "the other narrow one, although the queue is short",
      lanes: [wide, busy(narrow), narrow],
      long: false,
      lane: 2,
      rule: "long-queue",
    },
    {
      name: "a free narrow one, less than a full batch waits",
      lanes: [wide, busy(narrow), narrow],
      long: true,
      full: false,
      lane: 2,
      rule: "long-queue",
    },
    {
      name: "narrow ones that still load",
      lanes: [wide, loading(narrow), loading(narrow)],
      long: true,
      lane: 0,
      rule: "narrow-not-ready",
    },
    {
      name: "one that loads beside a busy one",
      lanes: [wide, busy(narrow, 2), loading(narrow)],
      long: true,
      lane: null,
      rule: "narrow-busy",
    },
    {
      name: "a tenant that is owed time goes beside others' batches",
      lanes: [wide, busy(narrow), busy(narrow, 2)],
      long: true,
      owed: true,
      lane: 0,
      rule: "owed-tenant",
    },
    {
      name: "a tenant that is owed more waits as others do where the wide lane is busy",
      lanes: [busy(wide), busy(narrow), busy(narrow, 2)],
      long: true,
      owed: true,
      lane: 1,
      rule: "long-queue",
    },
    {
      name: "a tenant that is owed time on a GPU",
      lanes: [busy(wide)],
      long: true,
      owed: true,
      lane: null,
      rule: "wide-busy",
    },
    {
      name: "the only narrow one that has loaded",
      lanes: [wide, loading(narrow), narrow],
      long: true,
      lane: 2,
      rule: "long-queue",
    },
  ])("$name", ({ lanes, long, full = true, owed = false, lane, rule }) => {
    expect(decideLane(lanes, long, full, owed)).toEqual({ lane, rule });
  });
});

test.each([
  { name: "nothing to do", tokens: 0, lanes: 2, share: 128 },
  { name: "little to do is not cut into less than is worth a batch", tokens: 300, lanes: 2, share: 128 },
  { name: "a fair part of what there is", tokens: 600, lanes: 2, share: 150 },
  { name: "never more than a batch may be", tokens: 9_000, lanes: 2, share: 256 },
  { name: "a fair part, rounded up", tokens: 601, lanes: 2, share: 151 },
  { name: "no lanes", tokens: 400, lanes: 0, share: 200 },
])("decideShare: $name", ({ tokens, lanes, share }) => {
  expect(decideShare(tokens, lanes, 256)).toBe(share);
});

test("decideShare never exceeds a small limit", () => {
  expect(decideShare(9_000, 2, 64)).toBe(64);
});
