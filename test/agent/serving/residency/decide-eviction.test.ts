import { describe, expect, test } from "bun:test";
import { decideEvictions, decideLoad, type ResidentModel } from "#agent/serving/residency/decide-eviction.ts";
import { explainEviction, explainLoad } from "#agent/serving/residency/explain-eviction.ts";

const resident = (id: string, bytes: number, rest: Partial<ResidentModel> = {}): ResidentModel => ({
  id,
  bytes,
  lastUsedMs: 0,
  busy: false,
  pinned: false,
  evicting: false,
  ...rest,
});

describe("memory for a model", () => {
  test.each([
    { name: "nothing there", need: 100, residents: [], budget: 100, expected: { kind: "load", rule: "fits" } },
    {
      name: "nothing there, a byte too large",
      need: 101,
      residents: [],
      budget: 100,
      expected: { kind: "refuse", rule: "over-budget" },
    },
    { name: "with memory to spare", need: 10, residents: [], budget: 100, expected: { kind: "load", rule: "fits" } },
    {
      name: "it fits exactly",
      need: 40,
      residents: [resident("a", 60)],
      budget: 100,
      expected: { kind: "load", rule: "fits" },
    },
    {
      name: "the least recently used is evicted, and no more than needed",
      need: 40,
      residents: [resident("a", 50, { lastUsedMs: 2 }), resident("b", 50, { lastUsedMs: 1 })],
      budget: 100,
      expected: { kind: "evict", ids: ["b"] },
    },
    {
      name: "several go where one is not enough",
      need: 70,
      residents: [
        resident("a", 30, { lastUsedMs: 3 }),
        resident("b", 30, { lastUsedMs: 1 }),
        resident("c", 30, { lastUsedMs: 2 }),
      ],
      budget: 100,
      expected: { kind: "evict", ids: ["b", "c"] },
    },
    {
      name: "an idle one is evicted before a busy one that was used longer ago",
      need: 50,
      residents: [resident("a", 50, { busy: true, lastUsedMs: 1 }), resident("b", 50, { lastUsedMs: 2 })],
      budget: 100,
      expected: { kind: "evict", ids: ["b"] },
    },
    {
      name: "one that computes finishes first",
      need: 50,
      residents: [resident("a", 50, { busy: true, lastUsedMs: 2 }), resident("b", 50, { busy: true, lastUsedMs: 1 })],
      budget: 100,
      expected: { kind: "wait", rule: "after-last-request", ids: ["b"], evicting: [] },
    },
    {
      name: "one that is being evicted is waited for, and no other is evicted",
      need: 50,
      residents: [resident("a", 50), resident("b", 50, { evicting: true })],
      budget: 100,
      expected: { kind: "wait", rule: "after-last-request", ids: [], evicting: ["b"] },
    },
    {
      name: "one that is being evicted is not enough",
      need: 60,
      residents: [resident("a", 50), resident("b", 50, { evicting: true })],
      budget: 100,
      expected: { kind: "evict", ids: ["a"] },
    },
    {
      name: "a pinned one stays, however long unused",
      need: 50,
      residents: [resident("a", 50, { pinned: true }), resident("b", 50, { lastUsedMs: 9 })],
      budget: 100,
      expected: { kind: "evict", ids: ["b"] },
    },
    {
      name: "beside the pinned ones it does not fit",
      need: 51,
      residents: [resident("a", 50, { pinned: true }), resident("b", 50)],
      budget: 100,
      expected: {
        kind: "refuse",
        rule: "over-budget",
        memory: { needBytes: 51, usedBytes: 100, pinnedBytes: 50, budgetBytes: 100, missingBytes: 51 },
      },
    },
    {
      name: "a pinned one that is being evicted (its files have changed) is no longer in the way",
      need: 60,
      residents: [resident("a", 50, { pinned: true, evicting: true })],
      budget: 100,
      expected: {
        kind: "wait",
        ids: [],
        evicting: ["a"],
        memory: { needBytes: 60, usedBytes: 50, pinnedBytes: 0, budgetBytes: 100, missingBytes: 10 },
      },
    },
    {
      name: "the busy ones go in the order of their last use, only as many as needed",
      need: 50,
      residents: [
        resident("a", 40, { busy: true, lastUsedMs: 2 }),
        resident("b", 40, { busy: true, lastUsedMs: 1 }),
        resident("c", 20, { busy: true, lastUsedMs: 3 }),
      ],
      budget: 100,
      expected: { kind: "wait", ids: ["b", "a"], evicting: [] },
    },
    {
      name: "idle ones go first even where they are not enough",
      need: 80,
      residents: [resident("a", 50, { busy: true }), resident("b", 50)],
      budget: 100,
      expected: { kind: "evict", ids: ["b"] },
    },
  ])("$name", ({ need, residents, budget, expected }) => {
    expect(decideLoad({ bytes: need, pinned: false }, residents, budget)).toMatchObject(expected);
  });

  test.each([
    { name: "alone", residents: [], expected: { kind: "load", rule: "pinned-over-budget" } },
    {
      name: "beside pinned ones",
      residents: [resident("a", 90, { pinned: true, lastUsedMs: 1 })],
      expected: { kind: "load", rule: "pinned-over-budget" },
    },
    {
      name: "others are evicted for it first",
      residents: [resident("a", 90)],
      expected: { kind: "evict", rule: "least-recently-used" },
    },
    {
      name: "and are waited for",
      residents: [resident("a", 90, { evicting: true })],
      expected: { kind: "wait", rule: "after-last-request" },
    },
  ])("a pinned one is loaded whatever the budget says: $name", ({ residents, expected }) => {
    expect(decideLoad({ bytes: 500, pinned: true }, residents, 100)).toMatchObject(expected);
  });
});

describe("evictions that no other model asks for", () => {
  const limits = { budgetBytes: 100, keepAliveMs: 1000 };
  test.each([
    { name: "no model is there", residents: [], nowMs: 0, gone: [], nextMs: null },
    { name: "not yet over time", residents: [resident("a", 10)], nowMs: 999, gone: [], nextMs: 1000 },
    { name: "over time", residents: [resident("a", 10)], nowMs: 1000, gone: ["a idle"], nextMs: null },
    { name: "busy", residents: [resident("a", 10, { busy: true })], nowMs: 5000, gone: [], nextMs: null },
    { name: "pinned", residents: [resident("a", 10, { pinned: true })], nowMs: 5000, gone: [], nextMs: null },
    {
      name: "already being evicted",
      residents: [resident("a", 10, { evicting: true })],
      nowMs: 5000,
      gone: [],
      nextMs: null,
    },
    {
      name: "the next expiry is returned",
      residents: [resident("a", 10, { lastUsedMs: 700 }), resident("b", 10, { lastUsedMs: 300 }), resident("c", 10)],
      nowMs: 1000,
      gone: ["c idle"],
      nextMs: 1300,
    },
    {
      name: "beyond the budget the least recently used is evicted",
      residents: [resident("a", 60, { lastUsedMs: 3 }), resident("b", 60, { lastUsedMs: 2 })],
      nowMs: 10,
      gone: ["b memory"],
      nextMs: 1003,
    },
    {
      name: "beyond the budget a busy one stays",
      residents: [resident("a", 160, { busy: true })],
      nowMs: 10,
      gone: [],
      nextMs: null,
    },
  ])("$name", ({ residents, nowMs, gone, nextMs }) => {
    const { evictions, nextMs: next } = decideEvictions(residents, limits, nowMs);
    expect(evictions.map(({ id, cause }): string => `${id} ${cause}`)).toEqual([...gone]);
    expect(next).toBe(nextMs);
  });

  test("for ever is for ever", () => {
    const decision = decideEvictions([resident("a", 10)], { budgetBytes: 100, keepAliveMs: null }, 1e12);
    expect(decision).toEqual({ evictions: [], nextMs: null });
  });

  test("all that are over time are evicted, the least recently used first", () => {
    const residents = [resident("a", 10, { lastUsedMs: 300 }), resident("b", 10, { lastUsedMs: 200 })];
    expect(decideEvictions(residents, limits, 2_000).evictions).toEqual([
      { id: "b", cause: "idle", unusedMs: 1_800 },
      { id: "a", cause: "idle", unusedMs: 1_700 },
    ]);
  });

  test("what is evicted anyway does not count beyond the budget", () => {
    const residents = [
      resident("a", 60),
      resident("b", 60, { lastUsedMs: 900 }),
      resident("c", 60, { evicting: true }),
    ];
    expect(decideEvictions(residents, limits, 1_500)).toEqual({
      evictions: [{ id: "a", cause: "idle", unusedMs: 1_500 }],
      nextMs: 1_900,
    });
  });

  test("a budget that is met exactly is kept; each eviction makes the excess smaller", () => {
    const residents = [
      resident("a", 30, { lastUsedMs: 1 }),
      resident("b", 30, { lastUsedMs: 2 }),
      resident("c", 100, { pinned: true }),
    ];
    expect(decideEvictions(residents, { budgetBytes: 130, keepAliveMs: null }, 5)).toEqual({
      evictions: [{ id: "a", cause: "memory", excessBytes: 30 }],
      nextMs: null,
    });
    expect(decideEvictions(residents, { budgetBytes: 129, keepAliveMs: null }, 5).evictions).toEqual([
      { id: "a", cause: "memory", excessBytes: 31 },
      { id: "b", cause: "memory", excessBytes: 1 },
    ]);
  });
});

const mb = 1_000_000;
test.each([
  { need: 101 * mb, residents: [], text: "it needs about 101 MB, more than fits in 100 MB" },
  {
    need: 51 * mb,
    residents: [resident("a", 50 * mb, { pinned: true })],
    text: "it needs about 51 MB, more than fits in 100 MB, of which pinned models take 50 MB",
  },
  {
    need: 90 * mb,
    residents: [resident("a", 50 * mb), resident("b", 50 * mb)],
    text: "90 MB are missing: a, b unused for longest",
  },
  {
    need: 50 * mb + 1,
    residents: [resident("a", 50 * mb, { busy: true }), resident("b", 50 * mb, { evicting: true })],
    text: "51 MB are missing until b, a has ended",
  },
])("$text", ({ need, residents, text }) => {
  const decision = decideLoad({ bytes: need, pinned: false }, residents, 100 * mb);
  expect(decision.kind !== "load" && explainLoad(decision)).toBe(text);
});

test.each([
  { eviction: { id: "a", cause: "idle", unusedMs: 1_999 }, text: "unused for 1 s" },
  { eviction: { id: "a", cause: "memory", excessBytes: 31 * mb - 1 }, text: "31 MB over the budget" },
] as const)("$text", ({ eviction, text }) => {
  expect(explainEviction(eviction)).toBe(text);
});
