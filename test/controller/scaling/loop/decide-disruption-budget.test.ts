import { describe, expect, test } from "bun:test";
import { type DeferredAct, decideDisruptionBudget } from "#controller/scaling/loop/decide-disruption-budget.ts";
import { DisruptionBudgetInput } from "#controller/scaling/loop/disruption-budget.ts";
import { explainDeferredAct } from "#controller/scaling/loop/explain-disruption-budget.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const input = (given: object): DisruptionBudgetInput =>
  parseConfig(DisruptionBudgetInput, { fleetSize: 10, ...given }, "test");
const ids = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);

describe("how many may stand by", () => {
  test.each([
    { $: "a share is rounded up", amount: "25%", size: 10, to: 3 },
    { $: "of one agent one", amount: "25%", size: 1, to: 1 },
    { $: "of none none", amount: "25%", size: 0, to: 0 },
    { $: "a number", amount: 2, size: 10, to: 2 },
    { $: "none", amount: 0, size: 10, to: 0 },
    { $: "no share", amount: "0%", size: 10, to: 0 },
    { $: "all", amount: "100%", size: 10, to: 5 },
    { $: "less what the last minute did", amount: 3, size: 10, spent: 2, to: 1 },
    { $: "never negative", amount: 1, size: 10, spent: 4, to: 0 },
    { $: "less those that are not ready", amount: 3, size: 10, notReady: 2, to: 1 },
  ])("$$: $amount of $size -> $to of 5", ({ amount, size, spent = 0, notReady = 0, to }) => {
    const { allowed, deferred } = decideDisruptionBudget(
      input({
        budget: { standByPerMinute: amount },
        fleetSize: size,
        notReady,
        lastMinute: { standBy: spent },
        acts: { standBy: ids(5) },
      }),
    );
    expect(allowed.standBy).toEqual(ids(5).slice(0, to));
    expect(deferred.map(({ agentId }) => agentId)).toEqual(ids(5).slice(to));
  });

  test.each([Number.NaN, -1, 1.5, "", "lots", "101%", "-5%", "5 %"])("%p lets nothing through", (amount) => {
    const given = input({ acts: { standBy: ids(2) } });
    const broken = { ...given, budget: { ...given.budget, standByPerMinute: amount } };
    expect(decideDisruptionBudget(broken).allowed.standBy).toEqual([]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -10])("a fleet of %p lets no share through", (fleetSize) => {
    const { allowed, left } = decideDisruptionBudget({ ...input({ acts: { activate: ids(2) } }), fleetSize });
    expect(allowed.activate).toEqual([]);
    expect(left).toEqual({ activate: 0, standBy: 0, modes: 0 });
  });

  test("a share of a large fleet, to the last agent", () => {
    expect(decideDisruptionBudget(input({ fleetSize: 1010 })).left).toEqual({
      activate: 1010,
      standBy: 253,
      modes: 1010,
    });
  });
});

test("operators' words and agents that are gone don't count", () => {
  const { allowed, deferred } = decideDisruptionBudget(
    input({ budget: { standByPerMinute: 1 }, acts: { standBy: ids(4) }, exempt: ["a0", "a2"] }),
  );
  expect(allowed.standBy).toEqual(["a0", "a1", "a2"]);
  expect(deferred).toEqual([{ agentId: "a3", kind: "standBy", rule: "budget" }]);
});

test("nobody leaves while those that are to serve first have to wait", () => {
  const { allowed, deferred } = decideDisruptionBudget(
    input({
      budget: { activatePerMinute: 1 },
      acts: { activate: ["x", "y"], standBy: ["a", "gone"] },
      exempt: ["gone"],
    }),
  );
  expect(allowed).toEqual({ activate: ["x"], standBy: ["gone"], modes: [] });
  expect(deferred).toEqual([
    { agentId: "y", kind: "activate", rule: "budget" },
    { agentId: "a", kind: "standBy", rule: "starts-first" },
  ]);
});

test("of each kind as many are left as the budget has beyond the last minute", () => {
  const given = input({
    budget: { activatePerMinute: 3, standByPerMinute: "50%", modesPerMinute: 2 },
    ...{ lastMinute: { activate: 1, standBy: 1, modes: 2 }, notReady: 2, acts: { modes: ["a"] } },
  });
  const { left, deferred } = decideDisruptionBudget(given);
  expect(left).toEqual({ activate: 2, standBy: 2, modes: 0 });
  expect(deferred).toEqual([{ agentId: "a", kind: "modes", rule: "budget" }]);
});

test.each<[object, DeferredAct["kind"], DeferredAct["rule"], string]>([
  [{}, "standBy", "budget", "the budget allows 25% of 10 to be put on standby per minute"],
  [
    { lastMinute: { standBy: 2 }, notReady: 1 },
    "standBy",
    "budget",
    "the budget allows 25% of 10 to be put on standby per minute, 2 in the last minute, 1 not ready now",
  ],
  [
    { budget: { activatePerMinute: 1 }, notReady: 1 },
    "activate",
    "budget",
    "the budget allows 1 to be activated per minute",
  ],
  [
    { lastMinute: { modes: 9 } },
    "modes",
    "budget",
    "the budget allows 100% of 10 to be given another power mode per minute, 9 in the last minute",
  ],
  [{}, "standBy", "starts-first", "the agents that must start serving first are waiting for the budget"],
])("the reason has the figures: %j %s %s", (given, kind, rule, reason) => {
  expect(explainDeferredAct({ agentId: "a", kind, rule }, input(given))).toBe(reason);
});
