import { describe, expect, test } from "bun:test";
import { chooseActivations, chooseStandBy, sumCapacityQps } from "#controller/scaling/active-agents/choose-agents.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";

const agent = (
  agentId: string,
  energyUsdPerRequest: number | null = null,
  capacityQps = 100,
  overrideRole: AgentCandidate["overrideRole"] = null,
): AgentCandidate => ({
  ...{ agentId, unavailable: null, active: false, capacityQps, energyUsdPerRequest, overrideRole },
  wattsPerQps: energyUsdPerRequest,
});
const ids = (agents: readonly AgentCandidate[]) => agents.map(({ agentId }) => agentId).join(" ");
const all = { wantedCount: 99, wantedQps: 0, maxCount: 99 };

test("capacity that is no number adds nothing", () => {
  expect(sumCapacityQps([agent("a"), agent("b", 1, Number.NaN), agent("c", 1, Number.POSITIVE_INFINITY)])).toBe(100);
});

describe("the order in which agents are switched on", () => {
  test.each([
    ["the cheapest request first", [agent("a", 3), agent("b", 1), agent("c", 2)], "b c a"],
    ["those whose electricity is not known last", [agent("a"), agent("b", 9), agent("c")], "b a c"],
    ["of equal price the larger board", [agent("a", 1, 100), agent("b", 1, 300), agent("c", 1, 200)], "b c a"],
    ["of equal boards by id, however they are listed", [agent("b", 1), agent("c", 1), agent("a", 1)], "a b c"],
    ["of unknown boards by size, then by id", [agent("c"), agent("b"), agent("a", null, 50)], "b c a"],
  ])("%s", (_name, idle, order) => {
    expect(ids(chooseActivations([], idle, all))).toBe(order);
    expect(ids(chooseActivations([], idle.toReversed(), all))).toBe(order);
  });
});

describe("how many are switched on", () => {
  const kept = [agent("k", 1, 100)];
  const idle = [agent("a", 1, 100), agent("b", 2, 100), agent("c", 3, 100)];
  test.each([
    ["until the count suffices", { wantedCount: 2, wantedQps: 0, maxCount: 9 }, "a"],
    ["and the capacity as well", { wantedCount: 2, wantedQps: 300, maxCount: 9 }, "a b"],
    ["none when those that serve suffice", { wantedCount: 1, wantedQps: 100, maxCount: 9 }, ""],
    ["never more than the maximum", { wantedCount: 9, wantedQps: 900, maxCount: 3 }, "a b"],
    ["none at the maximum", { wantedCount: 9, wantedQps: 900, maxCount: 1 }, ""],
  ])("%s", (_name, target, chosen) => {
    expect(ids(chooseActivations(kept, idle, target))).toBe(chosen);
  });
});

describe("those put on standby", () => {
  const active = [agent("a", 1, 100), agent("b", 2, 100), agent("c", 3, 100)];
  test.each([
    ["the dearest first", active, { minCount: 1, wantedQps: 0 }, "c b"],
    ["not below the minimum", active, { minCount: 2, wantedQps: 0 }, "c"],
    ["not below what has to be carried", active, { minCount: 1, wantedQps: 200 }, "c"],
    ["none when every one is needed", active, { minCount: 1, wantedQps: 201 }, ""],
    [
      "a smaller one where the dearest is needed",
      [agent("a", 1, 100), agent("b", 2, 50), agent("c", 3, 200)],
      { minCount: 1, wantedQps: 300 },
      "b",
    ],
    [
      "none that an operator has spoken about",
      [agent("a", 1), agent("b", 2, 100, "active"), agent("c", 3, 100, "active")],
      { minCount: 1, wantedQps: 0 },
      "a",
    ],
    [
      "of equals the last by id",
      [agent("b", 1, 100), agent("a", 1, 100), agent("c", 1, 100)],
      { minCount: 2, wantedQps: 0 },
      "c",
    ],
  ])("%s", (_name, serving, target, leaving) => {
    expect(ids(chooseStandBy(serving, target))).toBe(leaving);
  });
});
