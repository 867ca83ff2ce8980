import { describe, expect, test } from "bun:test";
import { decideDepartures, decideRoom, type ResidentModel } from "#agent/serving/residency/decide-eviction.ts";

const resident = (id: string, bytes: number, rest: Partial<ResidentModel> = {}): ResidentModel => ({
  id,
  bytes,
  lastUsedMs: 0,
  busy: false,
  pinned: false,
  leaving: false,
  ...rest,
});

describe("room for a model", () => {
  test.each([
    { name: "nothing there", need: 100, residents: [], budget: 100, expected: { kind: "load" } },
    { name: "nothing there, a byte too large", need: 101, residents: [], budget: 100, expected: { kind: "refuse" } },
    { name: "it fits exactly", need: 40, residents: [resident("a", 60)], budget: 100, expected: { kind: "load" } },
    {
      name: "the least recently used goes, and no more than needed",
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
      name: "an idle one goes before a busy one that was used longer ago",
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
      expected: { kind: "wait", ids: ["b"] },
    },
    {
      name: "what is going is waited for, and nobody else sent after it",
      need: 50,
      residents: [resident("a", 50), resident("b", 50, { leaving: true })],
      budget: 100,
      expected: { kind: "wait", ids: [] },
    },
    {
      name: "what is going is not enough",
      need: 60,
      residents: [resident("a", 50), resident("b", 50, { leaving: true })],
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
      name: "beside the pinned there is no room",
      need: 51,
      residents: [resident("a", 50, { pinned: true })],
      budget: 100,
      expected: { kind: "refuse" },
    },
  ])("$name", ({ need, residents, budget, expected }) => {
    const decision = decideRoom({ bytes: need, pinned: false }, residents, budget);
    expect(decision).toMatchObject(expected);
    expect(decision.reason).not.toBe("");
  });

  test.each([
    { name: "alone", residents: [], expected: "load" },
    { name: "beside pinned ones", residents: [resident("a", 90, { pinned: true })], expected: "load" },
    { name: "others go for it first", residents: [resident("a", 90)], expected: "evict" },
    { name: "and are waited for", residents: [resident("a", 90, { leaving: true })], expected: "wait" },
  ])("a pinned one is loaded whatever the budget says: $name", ({ residents, expected }) => {
    expect(decideRoom({ bytes: 500, pinned: true }, residents, 100).kind).toBe(expected as "load");
  });
});

describe("who goes unasked", () => {
  const limits = { budgetBytes: 100, keepAliveMs: 1000 };
  test.each([
    { name: "nobody is there", residents: [], nowMs: 0, gone: [], nextMs: null },
    { name: "not yet over time", residents: [resident("a", 10)], nowMs: 999, gone: [], nextMs: 1000 },
    { name: "over time", residents: [resident("a", 10)], nowMs: 1000, gone: ["a idle"], nextMs: null },
    { name: "busy", residents: [resident("a", 10, { busy: true })], nowMs: 5000, gone: [], nextMs: null },
    { name: "pinned", residents: [resident("a", 10, { pinned: true })], nowMs: 5000, gone: [], nextMs: null },
    { name: "already going", residents: [resident("a", 10, { leaving: true })], nowMs: 5000, gone: [], nextMs: null },
    {
      name: "the next one's time is told",
      residents: [resident("a", 10, { lastUsedMs: 700 }), resident("b", 10, { lastUsedMs: 300 }), resident("c", 10)],
      nowMs: 1000,
      gone: ["c idle"],
      nextMs: 1300,
    },
    {
      name: "beyond the budget the least recently used go",
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
    const { departures, nextMs: next } = decideDepartures(residents, limits, nowMs);
    expect(departures.map(({ id, cause }): string => `${id} ${cause}`)).toEqual([...gone]);
    expect(next).toBe(nextMs);
  });

  test("for ever is for ever", () => {
    const decision = decideDepartures([resident("a", 10)], { budgetBytes: 100, keepAliveMs: null }, 1e12);
    expect(decision).toEqual({ departures: [], nextMs: null });
  });
});
