import { describe, expect, test } from "bun:test";
import type { BudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import type { CloudOffer } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import {
  decideSpending,
  effectOfSpending,
  limitOffers,
  unitUsdPerHour,
} from "#controller/scaling/spending/decide-spending.ts";
import { explainEffect } from "#controller/scaling/spending/explain-spending.ts";
import { dueActions, SpendingWatch } from "#controller/scaling/spending/spending-watch.ts";

const offer = (id: string, given: Partial<CloudOffer> = {}): CloudOffer => ({
  ...{ id, kind: "spot" as const, capacityQps: 100, p95Ms: 0, usdPerHour: 1, usdPerRequest: 0, startupS: 60 },
  ...{ max: 5, running: 0, ...given },
});
const free = { maxCloudUsdPerHour: null, offersFrozen: false };
const maxima = (offers: readonly CloudOffer[]) => Object.fromEntries(offers.map(({ id, max }) => [id, max]));

describe("limits of offers", () => {
  const cheap = offer("cheap", { usdPerHour: 0.3 });
  const dear = offer("dear", { usdPerHour: 1 });

  test.each([
    { limit: null, expected: { dear: 5, cheap: 5 } },
    { limit: 0, expected: { dear: 0, cheap: 0 } },
    { limit: 0.29, expected: { dear: 0, cheap: 0 } },
    { limit: 0.9, expected: { dear: 0, cheap: 3 } },
    { limit: 2.5, expected: { dear: 1, cheap: 5 } },
    { limit: 100, expected: { dear: 5, cheap: 5 } },
  ])("$limit US$ an hour buy the cheapest texts first", ({ limit, expected }) => {
    const limited = limitOffers([dear, cheap], { ...free, maxCloudUsdPerHour: limit }, 0.8);
    expect(maxima(limited.offers)).toEqual(expected);
    expect(limited.offers.map(({ id }) => id)).toEqual(["dear", "cheap"]);
    expect(limited.cut).toEqual(
      (["dear", "cheap"] as const).filter((id) => expected[id] < 5).map((id) => ({ id, from: 5, to: expected[id] })),
    );
  });

  test("a unit paid by request costs what it carries at the target utilisation", () => {
    const byRequest = offer("lambda", { usdPerHour: 0, usdPerRequest: 0.00001 });
    expect(unitUsdPerHour(byRequest, 0.8)).toBeCloseTo(2.88, 9);
    expect(maxima(limitOffers([byRequest], { ...free, maxCloudUsdPerHour: 6 }, 0.8).offers)).toEqual({ lambda: 2 });
  });

  test("what costs nothing is not limited by money", () => {
    const own = offer("own", { usdPerHour: 0 });
    expect(maxima(limitOffers([own], { ...free, maxCloudUsdPerHour: 0 }, 0.8).offers)).toEqual({ own: 5 });
  });

  test("frozen: those that run go on, and no other is bought", () => {
    const limited = limitOffers([offer("a", { running: 2 }), offer("b")], { ...free, offersFrozen: true }, 0.8);
    expect(maxima(limited.offers)).toEqual({ a: 2, b: 0 });
    expect(limited.isOver).toBe(false);
  });

  test("units that the limit does not pay are to stop", () => {
    const limited = limitOffers([offer("a", { running: 4 })], { ...free, maxCloudUsdPerHour: 3 }, 0.8);
    expect(limited).toMatchObject({ isOver: true, offers: [{ max: 3, running: 3 }] });
  });
});

describe("the effect on users", () => {
  const effect = (leftQps: number) =>
    effectOfSpending({ carriedQps: 400, leftQps, expectedQps: [100, 200, 300], coverQps: [150, 250, 360] });

  test.each([
    [360, 0, 0, 0],
    [359, 1, 0, 0],
    [300, 1, 0, 0],
    [250, 1, 1, 50 / 600],
    [90, 3, 3, (10 + 110 + 210) / 600],
  ])("with %p texts/s left", (leftQps, riskyMinutes, shortMinutes, shortShare) => {
    expect(effect(leftQps)).toEqual({
      ...{ carriedQps: 400, leftQps, coverQps: 360, expectedQps: 300, minutes: 3 },
      ...{ riskyMinutes, shortMinutes, shortShare: expect.closeTo(shortShare, 12) },
    });
  });

  test("is said", () => {
    expect(explainEffect(effect(360))).toContain("the SLO is kept");
    expect(explainEffect(effect(300))).toContain("up to 360 may come in 1 of 3 minutes, and would miss the SLO");
    expect(explainEffect(effect(250))).toContain(
      "needs more in 1 of 3 minutes: 8.33 % of the texts would be refused or late",
    );
  });
});

const state = (kind: "fleet" | "tenant", usedPercent: number, reached: readonly string[]) =>
  ({
    budget: { id: `of-${kind}`, scope: { kind, name: kind === "fleet" ? null : "shop" } },
    usedPercent,
    reached: reached.map((action, index) => ({ action, atPercent: 80 + index })),
  }) as unknown as BudgetState;

test("actions of the fleet's budgets act; notify and those of tenants are alerts only", () => {
  const due = dueActions([
    state("tenant", 200, ["freeze-offers"]),
    state("fleet", 91, ["notify", "widen-standby", "tighten-modes"]),
  ]);
  expect(due.map(({ action, atPercent }) => [action, atPercent])).toEqual([
    ["widen-standby", 81],
    ["tighten-modes", 82],
  ]);
  expect(decideSpending(3, due)).toMatchObject({
    ...{ maxCloudUsdPerHour: 3, offersFrozen: false, expectedOnly: true, modesTightened: true },
  });
});

test("a change of limits is recorded once, with its effect on users; the end as well", () => {
  const watch = new SpendingWatch(null);
  const effect = effectOfSpending({ carriedQps: 400, leftQps: 250, expectedQps: [300], coverQps: [300] });
  const look = (cut: readonly { id: string; from: number; to: number }[] = []) =>
    watch.change(watch.current(), { cut }, effect, 7);
  expect(look()).toBeNull();
  let states: BudgetState[] = [state("fleet", 91, ["freeze-offers"])];
  watch.follow(() => states);
  const row = look([{ id: "spot", from: 5, to: 2 }]);
  expect(row).toMatchObject({ kind: "spending", rule: "freeze-offers", atMs: 7, agents: [] });
  expect(row?.reason).toBe(
    "budget of-fleet is 91 % spent (freeze-offers at 80 %): no more cloud capacity is bought -> spot to 2 of 5 units. Effect: " +
      "250 texts/s can be carried instead of 400; the forecast of 300 needs more in 1 of 1 minute: 16.7 % of the texts would be refused or late.",
  );
  states = [state("fleet", 92, ["freeze-offers"])];
  expect(look([{ id: "spot", from: 5, to: 1 }])).toBeNull();
  states = [];
  expect(look()).toMatchObject({ rule: "ended", reason: "no spending limit applies any more" });
  expect(look()).toBeNull();
});

test("a limit by the hour is recorded when it leaves fewer units", () => {
  const watch = new SpendingWatch(2);
  const effect = effectOfSpending({ carriedQps: 400, leftQps: 400, expectedQps: [300], coverQps: [300] });
  const row = watch.change(watch.current(), { cut: [{ id: "spot", from: 5, to: 2 }] }, effect, 7);
  expect(row).toMatchObject({ rule: "max-cloud-cost" });
  expect(row?.reason).toStartWith(
    "cloud offers may cost 2 US$ an hour (plan.maxCloudUsdPerHour) -> spot to 2 of 5 units.",
  );
});
