import { describe, expect, test } from "bun:test";
import {
  candidatesOf,
  filtersOf,
  hoursOf,
  markersOf,
  resultOf,
  type ShortDecision,
  stepMinutesOf,
  timelinePath,
} from "#controller/dashboard/page/decisions/decision-data.ts";

const decision = (change: Partial<ShortDecision> = {}): ShortDecision => ({
  ...{ id: 7, atMs: 1_000, lastAtMs: 1_000, repeats: 1, kind: "scale-out", rule: "peak", reason: "because" },
  ...{ agents: 3, agentIds: ["a", "b", "c"], did: 0, failed: 0 },
  ...change,
});

test.each([
  ["", 24],
  ["hours=6", 6],
  ["hours=168", 168],
  ["hours=7", 24],
  ["hours=%00", 24],
])("the address %p asks for %p hours", (query, hours) => {
  expect<number>(hoursOf(new URLSearchParams(query).get("hours"))).toBe(hours);
});

test("no chart of traffic has more than some 500 points", () => {
  for (const hours of [1, 6, 24, 168, 336]) expect((hours * 60) / stepMinutesOf(hours)).toBeLessThanOrEqual(505);
  expect(stepMinutesOf(6)).toBe(1);
});

test.each([
  ["", "?limit=100&changes=true"],
  ["kind=scale-in&rule=peak&agent=thor%2F1", "?limit=100&kind=scale-in&rule=peak&agent=thor%2F1&changes=true"],
  ["holds=true&before=42", "?limit=100&before=42"],
  ["before=42x&holds=1", "?limit=100&changes=true"],
])("the address %p asks for %p", (query, path) => {
  expect(timelinePath(filtersOf(new URLSearchParams(query)), 100)).toBe(`/api/v1/decisions/timeline${path}`);
});

test("marks on the chart are of changes within its hours, oldest first, each with a link", () => {
  const rows = [
    decision({ id: 9, atMs: 3_000 }),
    decision({ id: 8, kind: "hold" }),
    decision(),
    decision({ atMs: 10 }),
  ];
  expect(markersOf(rows, 500)).toEqual([
    { atMs: 1_000, label: "scale-out (peak) #7", href: "/decisions/7" },
    { atMs: 3_000, label: "scale-out (peak) #9", href: "/decisions/9" },
  ]);
});

describe("what came of a change", () => {
  test.each([
    [{ did: 0 }, "not reported"],
    [{ did: 1 }, "1 of 3 done"],
    [{ did: 3 }, "all 3 done"],
    [{ did: 1, agents: 1 }, "done"],
    [{ did: 2, failed: 1 }, "1 of 3 not in time"],
    [{ failed: 1, agents: 1 }, "1 not in time"],
  ])("%p: %s", (change, word) => expect(resultOf(decision(change))?.word).toBe(word));

  test.each([[{ kind: "hold" }], [{ agents: 0 }]])("%p: nothing to tell", (change) =>
    expect(resultOf(decision(change))).toBeNull(),
  );
});

test("agents that a decision could choose from are read as far as they can be", () => {
  const candidates = [
    { agentId: "a", active: true, capacityQps: 40, energyUsdPerRequest: null, unavailable: null },
    { agentId: "b", capacityQps: "many", unavailable: "offline" },
    { active: true },
    null,
  ];
  expect(candidatesOf({ inputs: { candidates } })).toEqual([
    { agentId: "a", served: true, capacityQps: 40, usdPerRequest: null, unavailable: null },
    { agentId: "b", served: false, capacityQps: null, usdPerRequest: null, unavailable: "offline" },
  ]);
  for (const inputs of [{}, { candidates: 5 }]) expect(candidatesOf({ inputs })).toEqual([]);
});
