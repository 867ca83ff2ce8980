import { beforeEach, expect, test } from "bun:test";
import { dueLimits, TenantCeilings } from "#controller/access/tenant-ceilings.ts";
import { Tenants } from "#controller/access/tenants.ts";
import type { Budget } from "#controller/cost/budgets/budget.ts";
import { type BudgetState, decideBudgetState } from "#controller/cost/budgets/decide-budget-state.ts";
import type { CostHistory } from "#controller/cost/history/cost-history.ts";
import { moneyOf } from "#controller/cost/money/money.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { createMemoryStore } from "../memory-store.ts";

const startMs = Date.UTC(2026, 10, 30);
let nowMs: number;
let store: Store;
let tenants: Tenants;
let isFrozen: boolean;
let ceilings: TenantCeilings;

/** Hours in which red asked 60 times a minute, then 120 times; blue as often. */
const history: CostHistory = {
  hours: async () =>
    [60, 120].map((rate, hour) => ({
      ...{ startMs: nowMs - (2 - hour) * hourMs, observedMinutes: 60, missingEnergyMinutes: 0 },
      cells: ["red", "blue", null].map((tenant) => ({
        ...{ region: "eu", agentId: "a", tenant, model: "mini", device: 1n, offers: 0n, energyKwh: 0, computeMs: 0 },
        ...{ requests: rate * 60, tokens: rate * 600 },
      })),
    })),
};

const opened = () =>
  new TenantCeilings({
    ...{ store, history, tenants, nowMs: () => nowMs, isFrozen: () => isFrozen, log: createLogger("test", "silent") },
    shares: { of: () => ({ shares: [], otherShare: 1 }) },
  });

const budget = (given: Partial<Budget> = {}): Budget => ({
  ...{ id: "of-red", scope: { kind: "tenant", name: "red" }, period: "daily", amountUsd: 10 },
  actions: [
    { atPercent: 80, action: "notify" },
    { atPercent: 100, action: "limit", limitPercent: 50 },
  ],
  ...given,
});
const state = (spentUsd: number, of = budget(), period = { startMs, endMs: startMs + dayMs }): BudgetState =>
  decideBudgetState({ ...{ budget: of, period, nowMs, spent: moneyOf(spentUsd), recent: 0n, recentHours: 24 } });
const decisions = async () => (await store.decisions({ limit: 20 })).map(({ kind, rule }) => `${kind} ${rule}`);

beforeEach(async () => {
  nowMs = startMs + 10 * hourMs;
  store = createMemoryStore();
  tenants = new Tenants({ store, nowMs: () => nowMs });
  await tenants.create("red", { requestsPerMinute: 50 });
  await tenants.create("blue", {});
  isFrozen = false;
  ceilings = opened();
});

test("a budget that is spent limits its tenant, and no other, as a recorded decision with its effect", async () => {
  await ceilings.look([state(9)]);
  expect([await decisions(), ceilings.of("red")]).toEqual([[], null]);
  await ceilings.look([state(10.4)]);
  await ceilings.look([state(11)]);
  expect(ceilings.of("red")).toEqual({ requests: 45, tokens: 450 });
  expect(ceilings.of("blue")).toBeNull();
  const [row, ...more] = await store.decisions({ limit: 20 });
  expect(more).toEqual([]);
  expect(row).toMatchObject({ kind: "spending", rule: "limit", atMs: nowMs, agents: [] });
  expect(row?.reason).toContain("it gets at most 45 requests and 450 tokens per minute, 50 % of 90 requests");
  // 15 of 60 and 75 of 120 requests per minute.
  expect(row?.reason).toContain("at least 50 % are refused");
  expect(row?.inputs).toMatchObject({ tenant: "red", refusedShare: expect.closeTo(0.5, 9) });
});

test("a tenant's own lower limit counts in the effect", async () => {
  await tenants.update("red", { requestsPerMinute: 18 });
  await ceilings.look([state(10.4)]);
  expect((await store.decisions({ limit: 1 }))[0]?.inputs).toMatchObject({ refusedShare: expect.closeTo(0.8, 9) });
});

test("a limit is recorded before it holds, and does not hold when it can't be recorded", async () => {
  const { insertDecision } = store;
  store.insertDecision = () => Promise.reject(new Error("disk full"));
  await expect(ceilings.look([state(11)])).rejects.toThrow("disk full");
  expect(ceilings.of("red")).toBeNull();
  store.insertDecision = insertDecision;
  await ceilings.look([state(11)]);
  expect(ceilings.of("red")).not.toBeNull();
});

test("a limit outlives a restart, without being recorded again", async () => {
  await ceilings.look([state(11)]);
  const again = opened();
  await again.recover();
  expect(again.of("red")).toEqual({ requests: 45, tokens: 450 });
  await again.look([state(12)]);
  expect(await decisions()).toEqual(["spending limit"]);
});

test.each<[string, () => BudgetState[] | Promise<BudgetState[]>]>([
  ["the budget is raised", () => [state(11, budget({ amountUsd: 20 }))]],
  ["the action is taken out", () => [state(11, budget({ actions: [{ atPercent: 100, action: "notify" }] }))]],
  ["the budget is removed", () => []],
  ["the period ends", () => [state(0, budget(), { startMs: startMs + dayMs, endMs: startMs + 2 * dayMs })]],
  [
    "the tenant is deleted",
    async () => {
      await tenants.remove("red");
      return [state(11)];
    },
  ],
])("a limit is lifted when %s", async (what, states) => {
  await ceilings.look([state(11)]);
  if (what === "the period ends") nowMs = startMs + dayMs;
  await ceilings.look(await states());
  expect([ceilings.of("red"), ceilings.list()]).toEqual([null, []]);
  expect(await decisions()).toEqual(["spending limit-lifted", "spending limit"]);
  const again = opened();
  await again.recover();
  expect(again.list()).toEqual([]);
});

test("a limit ends with its period, looked at or not", async () => {
  await ceilings.look([state(11)]);
  nowMs = startMs + dayMs - 1;
  expect(ceilings.of("red")).not.toBeNull();
  nowMs += 1;
  expect(ceilings.of("red")).toBeNull();
});

test("while the fleet is frozen nobody is limited", async () => {
  isFrozen = true;
  await ceilings.look([state(11)]);
  expect(ceilings.of("red")).toBeNull();
  isFrozen = false;
  await ceilings.look([state(11)]);
  expect(ceilings.of("red")).not.toBeNull();
});

test("a limit that agents can't be told is not set, until there is room", async () => {
  let room = 100;
  ceilings.follow((bytes) => bytes <= room);
  await ceilings.look([state(11)]);
  expect(ceilings.of("red")).toBeNull();
  room = 1000;
  const other = budget({ id: "of-blue", scope: { kind: "tenant", name: "blue" } });
  await ceilings.look([state(11), state(11, other)]);
  expect(ceilings.list().map(({ tenant }) => tenant)).toEqual(["red"]);
});

test("of several budgets of a tenant the lowest limits count", async () => {
  const stricter = budget({ id: "month", actions: [{ atPercent: 90, action: "limit", limitPercent: 10 }] });
  await ceilings.look([state(11), state(9.5, stricter)]);
  expect(ceilings.of("red")).toEqual({ requests: 9, tokens: 90 });
});

test("an erased tenant's limit is forgotten without a word", async () => {
  await ceilings.look([state(11)]);
  expect(await ceilings.forgetTenant("red")).toBe(1);
  expect(await ceilings.forgetTenant("red")).toBe(0);
  expect(ceilings.list()).toEqual([]);
  expect(await decisions()).toEqual(["spending limit"]);
});

test("only due limits of tenants' budgets are steps", () => {
  const fleet = budget({ scope: { kind: "fleet", name: null } });
  expect(dueLimits([state(11, fleet), state(9), state(11)]).map(({ tenant }) => tenant)).toEqual(["red"]);
});
