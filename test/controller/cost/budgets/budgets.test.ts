import { expect, test } from "bun:test";
import type { Budget } from "#controller/cost/budgets/budget.ts";
import { budgetFault } from "#controller/cost/budgets/budget.ts";
import { Budgets } from "#controller/cost/budgets/budgets.ts";
import { decideBudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import { explainBudgetState } from "#controller/cost/budgets/explain-budget-state.ts";
import { createHoursFromLines } from "#controller/cost/history/hours-from-lines.ts";
import { daysOf, hoursOnRecord, periodAt, spentBy, spentOf } from "#controller/cost/history/sum-costs.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { moneyOf, moneyToNumber } from "#controller/cost/money/money.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aModel, aPower } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { aCell, anHour } from "../history-of.ts";

const budget: Budget = {
  ...{ id: "all", scope: { kind: "fleet", name: null }, period: "daily", amountUsd: 100 },
  actions: [
    { atPercent: 100, action: "freeze-offers" },
    { atPercent: 80, action: "notify" },
  ],
};
const day = { startMs: 0, endMs: dayMs };
const state = (spent: number, recent: number, nowMs = 12 * hourMs) =>
  decideBudgetState({
    ...{ budget, period: day, nowMs, spent: moneyOf(spent), recent: moneyOf(recent), recentHours: 24 },
  });

test.each([
  // spent, cost of the newest 24 h → percent, projected, status, due
  [0, 0, 0, 0, "within", []],
  [50, 96, 50, 98, "within", []],
  [50, 120, 50, 110, "at-risk", []],
  [80, 0, 80, 80, "within", ["notify"]],
  [100, 0, 100, 100, "exceeded", ["notify", "freeze-offers"]],
  [150, 240, 150, 270, "exceeded", ["notify", "freeze-offers"]],
] as const)(
  "%d spent and %d a day: %d %% used, %d projected, %s, due %j",
  (spent, recent, used, projected, status, due) => {
    const found = state(spent, recent);
    expect(found).toMatchObject({ usedPercent: used, projectedUsd: projected, status });
    expect(found.reached.map(({ action }) => action)).toEqual([...due]);
  },
);

test("the time at which all is spent is told, within the period", () => {
  expect(state(90, 240).spentByMs).toBe(13 * hourMs);
  expect(state(50, 48).spentByMs).toBeNull();
  expect(state(100, 48).spentByMs).toBeNull();
  expect(state(50, 0, dayMs + 1).projectedUsd).toBe(50);
});

test("a state explains itself", () => {
  expect(explainBudgetState(state(90, 240))).toBe(
    "fleet has spent 90.00 $ of 100.00 $ today (90 %); at the rate of the newest day it will be 210.00 $ (210 %), all of it by 1970-01-01T13:00Z; due: notify at 80 %",
  );
});

test.each([
  [{ scope: { kind: "fleet", name: "x" } }, 'scope.name: expected null for the fleet, got "x"'],
  [{ scope: { kind: "tenant", name: null } }, "scope.name: expected the name of a tenant, got null"],
  [
    { actions: [...budget.actions, budget.actions[0]] },
    'actions: expected each once, got "freeze-offers at 100 %" twice',
  ],
  [
    { actions: [{ atPercent: 100, action: "limit", limitPercent: 50 }] },
    "actions: expected limit in the budget of a tenant only, got it in one of kind fleet",
  ],
  [
    { actions: [{ atPercent: 100, action: "limit" }] },
    "actions.limitPercent: expected a share from 1 to 100 with limit, got none",
  ],
  [
    { actions: [{ atPercent: 100, action: "notify", limitPercent: 50 }] },
    "actions.limitPercent: expected it with limit only, got 50 with notify",
  ],
  [{ scope: { kind: "tenant", name: "x" }, actions: [{ atPercent: 100, action: "limit", limitPercent: 50 }] }, null],
  [{}, null],
])("a budget with %j: %p", (given, fault) => {
  expect(budgetFault({ ...budget, ...given } as Budget)).toBe(fault);
});

test("periods are of the local calendar, days of 23 and 25 hours included", () => {
  const hours = ({ startMs, endMs }: { startMs: number; endMs: number }) => (endMs - startMs) / hourMs;
  expect(hours(periodAt("daily", Date.UTC(2026, 2, 29, 12), "Europe/Berlin"))).toBe(23);
  expect(hours(periodAt("daily", Date.UTC(2026, 9, 25, 12), "Europe/Berlin"))).toBe(25);
  expect(periodAt("monthly", Date.UTC(2026, 11, 31, 23, 30), "+01:00")).toEqual({
    ...{ startMs: Date.UTC(2026, 11, 31, 23), endMs: Date.UTC(2027, 0, 31, 23) },
  });
  // Monday, 30 November: the week began on Sunday.
  expect(periodAt("weekly", Date.UTC(2026, 10, 30, 1), "UTC")).toEqual({
    ...{ startMs: Date.UTC(2026, 10, 29), endMs: Date.UTC(2026, 11, 6) },
  });
});

const startMs = Date.UTC(2026, 10, 30);

async function recorded() {
  const store = createMemoryStore();
  for (let index = 0; index < 180; index += 1) {
    const minuteStartMs = startMs + index * minuteMs;
    const models = index < 60 ? [] : [{ ...aModel("mini", 100), tenants: [{ ...aModel("", 100), tenant: "shop" }] }];
    const traffic = {
      ...{ minuteStartMs, observedMs: 60_000, errors: 0, rejected: 0 },
      models: models.map(({ tenants, ...model }) => ({
        ...model,
        tenants: tenants.map(({ latencyCounts: _counts, model: _model, ...tenant }) => tenant),
      })),
    };
    const data = aMinute({ minuteStartMs, seq: index + 1, power: aPower({ energyJ: 3_600_000 / 60 }) });
    await store.insertMinute({ ...data, traffic });
  }
  let nowMs = startMs + 3 * hourMs;
  const prices = configuredPrices({ tariffUsdPerKwh: 1, amortisationUsdPerHour: 1 });
  const ledger = new CostLedger({ store, prices, nowMs: () => nowMs });
  await ledger.recover([aBirth({ region: "eu" })]);
  const history = createHoursFromLines({ store, ledger, nowMs: () => nowMs });
  return { store, history, advance: (ms: number) => (nowMs += ms), nowMs: () => nowMs };
}

test("hours add up to what the fleet cost, by every dimension", async () => {
  const { history } = await recorded();
  const hours = await history.hours(startMs, startMs + dayMs);
  expect(hours.map(({ startMs: at }) => at)).toEqual([0, 1, 2].map((hour) => startMs + hour * hourMs));
  // A kilowatt-hour and an hour of the device cost 1 $ each.
  expect(moneyToNumber(spentOf(hours, { kind: "fleet", name: null }))).toBeCloseTo(6, 9);
  for (const dimension of ["region", "tenant", "model", "agent"] as const) {
    const parts = [...spentBy(hours, dimension).values()];
    expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(spentOf(hours, { kind: "fleet", name: null }));
  }
  expect([...spentBy(hours, "tenant").keys()].sort()).toEqual(["shop", null].sort());
  expect(spentOf(hours, { kind: "region", name: "eu" })).toBe(spentOf(hours, { kind: "fleet", name: null }));
  expect(spentOf(hours, { kind: "model", name: "mini" })).toBe(spentOf(hours, { kind: "tenant", name: "shop" }));
  expect(daysOf(hours, "-01:00").map(({ hours: of }) => of.length)).toEqual([1, 2]);
});

test("minutes that come late count once their hour is read again", async () => {
  const { store, history, advance } = await recorded();
  const costs = async () =>
    moneyToNumber(spentOf(await history.hours(startMs, startMs + dayMs), { kind: "fleet", name: null }));
  const before = await costs();
  await store.insertMinute(aMinute({ minuteStartMs: startMs, bootId: "late", agentId: "thor-1", seq: 1 }));
  expect(await costs()).toBe(before);
  advance(hourMs);
  expect(await costs()).toBeGreaterThan(before);
});

test("budgets are kept, looked at, replaced and removed", async () => {
  const { store, history, nowMs } = await recorded();
  const parts = { store, history, timeZone: "UTC", nowMs, isTenant: (name: string) => name === "shop" };
  const budgets = new Budgets(parts);
  await budgets.set({ ...budget, amountUsd: 12 });
  await budgets.set({ ...budget, id: "shop", scope: { kind: "tenant", name: "shop" }, amountUsd: 1 });
  const again = new Budgets(parts);
  await again.recover();
  expect(again.list().map(({ id }) => id)).toEqual(["all", "shop"]);
  const [all, shop] = await again.look();
  expect(all).toMatchObject({ usedPercent: expect.closeTo(50, 6), status: "at-risk" });
  expect(shop?.usedPercent).toBeGreaterThan(0);
  expect(again.latest()).toHaveLength(2);
  await again.remove("all");
  expect(again.latest().map(({ budget: { id } }) => id)).toEqual(["shop"]);
  const limit = { atPercent: 100, action: "limit" as const, limitPercent: 50 };
  const ofTenant = (name: string) => ({ ...budget, scope: { kind: "tenant" as const, name }, actions: [limit] });
  await expect(again.set(ofTenant("red"))).rejects.toThrow("expected one of the controller's tenants with limit");
  expect(await again.set(ofTenant("shop"))).toMatchObject({ actions: [limit] });
  await again.remove("all");
  await expect(again.remove("all")).rejects.toThrow('there is no budget "all"');
  await expect(again.set({ ...budget, scope: { kind: "model", name: null } })).rejects.toThrow("scope.name: expected");
});

test.each([
  ["no hour", [], 0],
  ["ten minutes of one agent", [[0, 1, 10]], 1 / 6],
  [
    "ten minutes of two agents, then an hour",
    [
      [0, 2, 20],
      [1, 2, 120],
    ],
    1 / 6 + 1,
  ],
  [
    "a fleet whose agents are not told apart",
    [
      [0, 0, 500_000],
      [1, 0, 600_000],
    ],
    2,
  ],
  [
    "more minutes than an hour has, by a clock that was wrong",
    [
      [0, 1, 90],
      [1, 1, 60],
    ],
    2,
  ],
] as const)("time in which costs came together: %s", (_name, hours, expected) => {
  const cells = (agents: number) =>
    Array.from({ length: Math.max(1, agents) }, (_, index) =>
      aCell(1, { agentId: agents === 0 ? "" : `thor-${index}` }),
    );
  const history = hours.map(([hour, agents, observedMinutes]) => ({
    ...anHour(hour * hourMs, cells(agents)),
    observedMinutes,
  }));
  expect(hoursOnRecord(history, Math.max(1, hours.length) * hourMs)).toBeCloseTo(expected, 12);
});
