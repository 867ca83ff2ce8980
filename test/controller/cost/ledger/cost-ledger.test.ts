import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { registerCostMetrics } from "#controller/cost/ledger/cost-metrics.ts";
import { readGaps } from "#controller/cost/ledger/read-gaps.ts";
import { readUsage } from "#controller/cost/ledger/read-usage.ts";
import { moneyToNumber } from "#controller/cost/money/money.ts";
import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { cataloguePrices, configuredPrices, type PriceSource } from "#controller/cost/prices/price-source.ts";
import { costTables } from "#controller/store/costs/cost-migration.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Store } from "#controller/store/store.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aPower } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";

const dayStartMs = Date.UTC(2026, 10, 28);
const fleetPrices = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.6 };
let nowMs: number;
let store: Store;

async function ledgerOf(of: Store, prices: PriceSource = configuredPrices(fleetPrices)): Promise<CostLedger> {
  const ledger = new CostLedger({ store: of, prices, nowMs: () => nowMs });
  await ledger.recover([aBirth({ region: "eu" })]);
  return ledger;
}
/** A minute of 60 kJ: 0.01 of owning, 0.00333… of energy. */
const minuteAt = (minuteStartMs: number, seq = 1 + Math.floor((minuteStartMs - dayStartMs) / minuteMs)) =>
  aMinute({ minuteStartMs, seq, power: aPower({ energyJ: 60_000 }) });
const insert = (ledger: CostLedger, minuteStartMs: number, seq?: number) => {
  const minute = minuteAt(minuteStartMs, seq);
  return store.insertMinute(minute, "", ledger.rate(minute));
};
async function costOf(ledger: CostLedger, startMs: number, endMs: number, byAgent = false): Promise<number> {
  const parts = { store, ledger, nowMs: () => nowMs, labelsOf: () => ({}) };
  await ledger.settle(startMs, endMs);
  const devices = (await readUsage({ startMs, endMs }, byAgent, parts)).devices();
  return devices.reduce((sum, { cost }) => sum + moneyToNumber(cost), 0);
}
const perMinute = 0.01 + (60_000 / 3.6e6) * 0.2;

beforeEach(() => {
  nowMs = dayStartMs + 3 * dayMs;
  store = createMemoryStore();
});

test("a minute that was counted and removed from the record since is not counted twice", async () => {
  const ledger = await ledgerOf(store);
  for (const minute of [0, 1, 59]) await insert(ledger, dayStartMs + minute * minuteMs);
  await store.pruneMinutes(dayStartMs + hourMs, nowMs);
  for (const minute of [0, 1, 59]) expect(await insert(ledger, dayStartMs + minute * minuteMs)).toBe("new");
  expect(await costOf(ledger, dayStartMs, dayStartMs + hourMs)).toBeCloseTo(3 * perMinute, 9);
  // Another minute of that hour is new, and counts.
  await insert(ledger, dayStartMs + 30 * minuteMs);
  expect(await costOf(ledger, dayStartMs, dayStartMs + hourMs)).toBeCloseTo(4 * perMinute, 9);
});

test("two boots in one minute both count", async () => {
  const ledger = await ledgerOf(store);
  for (const bootId of ["one", "two"]) {
    const minute = aMinute({ minuteStartMs: dayStartMs, bootId, observedMs: 30_000, power: null });
    await store.insertMinute(minute, "", ledger.rate(minute));
  }
  expect(await costOf(ledger, dayStartMs, dayStartMs + hourMs)).toBeCloseTo(0.01, 9);
});

test("hours whose minutes are gone keep their prices; the others have those of now", async () => {
  const before = await ledgerOf(store);
  await before.run();
  for (const hour of [0, 1]) await insert(before, dayStartMs + hour * hourMs);
  await store.pruneMinutes(dayStartMs + hourMs, nowMs);
  const after = await ledgerOf(store, configuredPrices({ tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 6 }));
  await after.run();
  expect(await costOf(after, dayStartMs, dayStartMs + hourMs)).toBeCloseTo(perMinute, 9);
  expect(await costOf(after, dayStartMs + hourMs, dayStartMs + 2 * hourMs)).toBeCloseTo(perMinute + 0.09, 9);
  expect(after.progress().kept).toBe(1);
});

test("settings that are no prices leave all hours as they are", async () => {
  await insert(await ledgerOf(store), dayStartMs);
  const zoned = await ledgerOf(store, configuredPrices({ ...fleetPrices, ...{ timeZone: "Europe/Berlin" } }));
  expect(zoned.progress().isRepricing).toBe(false);
});

test("a report tells of earlier prices from their change until every hour has been compared", async () => {
  const before = await ledgerOf(store);
  expect(before.progress().isRepricing).toBe(false);
  await insert(before, dayStartMs);
  const dearer = await ledgerOf(store, configuredPrices({ tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 6 }));
  expect(dearer.progress().isRepricing).toBe(true);
  await dearer.run();
  expect(dearer.progress().isRepricing).toBe(false);
  expect((await ledgerOf(store)).progress().isRepricing).toBe(true);
});

test("a price of a past hour that did not change leaves the hour alone", async () => {
  const catalogue = (perKwh: number) =>
    cataloguePrices(
      parseConfig(
        PriceCatalogue,
        {
          currency: "USD",
          electricity: [
            { from: "2026-01-01", perKwh: 0.2 },
            { from: "2026-11-29", perKwh },
          ],
        },
        "test",
      ),
      fleetPrices,
    );
  const before = await ledgerOf(store, catalogue(0.2));
  await before.run();
  for (const day of [0, 1]) await insert(before, dayStartMs + day * dayMs, 1 + day);
  const rated: number[] = [];
  const { rateHourAgain } = store;
  store.rateHourAgain = (hour, rate) => {
    rated.push(hour.hourStartMs);
    return rateHourAgain(hour, rate);
  };
  await (await ledgerOf(store, catalogue(0.2))).run();
  expect(rated).toEqual([]);
  const after = await ledgerOf(store, catalogue(2));
  await after.run();
  expect(rated).toEqual([dayStartMs + dayMs]);
  const added = (60_000 / 3.6e6) * 1.8;
  expect(await costOf(after, dayStartMs, dayStartMs + 2 * dayMs)).toBeCloseTo(2 * perMinute + added, 9);
});

describe("days", () => {
  test("are rolled up half an hour after their end; a late minute changes its hour and its day", async () => {
    const ledger = await ledgerOf(store);
    nowMs = dayStartMs + dayMs + 20 * minuteMs;
    await insert(ledger, dayStartMs + 5 * hourMs);
    await ledger.run();
    expect([...(await store.rollUps(0, nowMs)).agentDays]).toEqual([]);
    nowMs += 10 * minuteMs;
    await ledger.run();
    const rolls = await store.rollUps(0, nowMs);
    expect([[...rolls.agentDays], [...rolls.fleetDays], [...rolls.staleHours]]).toEqual([
      [dayStartMs],
      [dayStartMs],
      [],
    ]);
    await insert(ledger, dayStartMs + 9 * hourMs);
    for (const byAgent of [true, false])
      expect(await costOf(ledger, dayStartMs, dayStartMs + dayMs, byAgent)).toBeCloseTo(2 * perMinute, 9);
    await ledger.run();
    expect([...(await store.rollUps(0, nowMs)).fleetDays]).toEqual([dayStartMs]);
    expect(await costOf(ledger, dayStartMs, dayStartMs + dayMs)).toBeCloseTo(2 * perMinute, 9);
  });

  test("stay when the agents' hours go; a window that cuts such a day has it where it begins", async () => {
    const ledger = await ledgerOf(store);
    for (const hour of [3, 20]) await insert(ledger, dayStartMs + hour * hourMs);
    await ledger.run();
    nowMs = dayStartMs + 40 * dayMs;
    await store.pruneMinutes(dayStartMs + dayMs, nowMs);
    await ledger.prune();
    const cut = { startMs: dayStartMs + 10 * hourMs, endMs: dayStartMs + 2 * dayMs };
    expect(await costOf(ledger, dayStartMs, cut.endMs, true)).toBeCloseTo(2 * perMinute, 9);
    expect(await costOf(ledger, cut.startMs, cut.endMs, true)).toBe(0);
    // The fleet's hours are kept for longer.
    expect(await costOf(ledger, cut.startMs, cut.endMs)).toBeCloseTo(perMinute, 9);
  });
});

test("what an agent cost in a region stays there when it moves", async () => {
  nowMs = dayStartMs;
  const ledger = await ledgerOf(store);
  nowMs = dayStartMs + hourMs;
  await insert(ledger, dayStartMs);
  nowMs = dayStartMs + 2 * hourMs;
  await ledger.observeBirth(aBirth({ region: "us", prices: { tariffUsdPerKwh: 0, amortisationUsdPerHour: null } }));
  nowMs += hourMs;
  await insert(ledger, dayStartMs + 2 * hourMs);
  // It waited in the outbox since before the move.
  await insert(ledger, dayStartMs + hourMs);
  const parts = { store, ledger, nowMs: () => nowMs, labelsOf: () => ({}) };
  const window = { startMs: dayStartMs, endMs: dayStartMs + dayMs };
  await ledger.settle(window.startMs, window.endMs);
  const devices = (await readUsage(window, false, parts)).devices();
  expect(devices.map(({ region, cost }) => [region, moneyToNumber(cost)])).toEqual([
    ["eu", expect.closeTo(2 * perMinute, 9)],
    ["us", expect.closeTo(0.01, 9)],
  ]);
});

test("what has no price is counted by hour, and named in reports also after the day was rolled up", async () => {
  const catalogue = parseConfig(PriceCatalogue, { currency: "USD" }, "test");
  const ledger = await ledgerOf(store, cataloguePrices(catalogue, fleetPrices));
  for (const minute of [0, 1, 70]) await insert(ledger, dayStartMs + minute * minuteMs);
  const expected = [
    { section: "electricity" as const, what: "eu", count: 3 },
    { section: "devices" as const, what: aBirth().board.name, count: 3 },
  ];
  expect(await readGaps(store, dayStartMs, dayStartMs + dayMs)).toEqual(expected);
  await ledger.run();
  expect(await readGaps(store, dayStartMs, dayStartMs + dayMs)).toEqual(expected);
  expect(await readGaps(store, dayStartMs + hourMs, dayStartMs + dayMs)).toMatchObject([{ count: 1 }, { count: 1 }]);
});

test("a store of an earlier version is rated in slices, the newest hour first, while minutes come", async () => {
  const database = new Database(":memory:", { strict: true });
  const costs = controllerMigrations.indexOf(costTables);
  for (const statements of controllerMigrations.slice(0, costs)) database.run(statements);
  for (const hour of [0, 5, 30]) {
    const { traffic, power, agentId, bootId, seq } = minuteAt(dayStartMs + hour * hourMs);
    database.run(
      "INSERT INTO minute (agent_id, boot_id, seq, minute_start_ms, texts, historical, role, traffic, power) VALUES (?, ?, ?, ?, 1, 0, 'active', ?, ?)",
      [agentId, bootId, seq, traffic.minuteStartMs, JSON.stringify(traffic), JSON.stringify(power)],
    );
  }
  for (const statements of controllerMigrations.slice(costs)) database.run(statements);
  store = createSqliteStore(database);
  const ledger = await ledgerOf(store);
  await insert(ledger, dayStartMs + 5 * hourMs + minuteMs);
  const order: number[] = [];
  const { rateHourAgain } = store;
  store.rateHourAgain = (hour, rate) => {
    order.push((hour.hourStartMs - dayStartMs) / hourMs);
    return rateHourAgain(hour, rate);
  };
  let turns = 0;
  await ledger.run(() => ++turns > 2);
  expect(ledger.progress().isBackfilling).toBe(true);
  await ledger.run();
  expect(order).toEqual([30, 5, 0]);
  expect(ledger.progress()).toEqual({ isBackfilling: false, isRepricing: false, kept: 0 });
  expect(await costOf(ledger, dayStartMs, dayStartMs + 2 * dayMs)).toBeCloseTo(4 * perMinute, 9);
});

test("metrics tell what the fleet has cost today, by region and part, and what has no price; anew after a minute", async () => {
  nowMs = dayStartMs + 2 * hourMs;
  const ledger = await ledgerOf(
    store,
    cataloguePrices(parseConfig(PriceCatalogue, { currency: "USD" }, "test"), fleetPrices),
  );
  const registry = new Registry();
  registerCostMetrics(registry, { store, ledger, nowMs: () => nowMs, labelsOf: () => ({}) });
  const metric = async (name: string) =>
    Number(
      (await registry.metrics())
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")
        .at(-1),
    );
  await insert(ledger, dayStartMs);
  const cost = async () => {
    const parts = await Promise.all(
      ["used", "idle", "offers"].map((part) => metric(`thormesh_cost_today_usd{region="eu",part="${part}"}`)),
    );
    return parts.reduce((sum, each) => sum + each, 0);
  };
  expect(await cost()).toBeCloseTo(perMinute, 9);
  expect(await metric('thormesh_cost_gap_seconds{section="devices"}')).toBe(60);
  await insert(ledger, dayStartMs + minuteMs);
  expect(await cost()).toBeCloseTo(perMinute, 9);
  nowMs += minuteMs;
  expect(await cost()).toBeCloseTo(2 * perMinute, 9);
  const used = await metric('thormesh_cost_today_usd{region="eu",part="used"}');
  const samples = async (name: string) =>
    (await registry.metrics())
      .split("\n")
      .flatMap((line) => (line.startsWith(`${name}{`) ? Number(line.split(" ").at(-1)) : []));
  for (const name of ["thormesh_tenant_cost_today_usd", "thormesh_model_cost_today_usd"]) {
    const of = await samples(name);
    expect(of.length).toBeGreaterThan(0);
    expect(of.reduce((sum, usd) => sum + usd, 0)).toBeCloseTo(used, 9);
  }
  expect(await samples("thormesh_baseline_cost_usd_per_day")).toEqual([]);
  const parts = { region: {}, tenant: {}, model: {}, agent: {} };
  const baseline = { name: "before", startMs: 0, endMs: dayMs, days: 2, usd: 7, requests: 1, parts };
  await store.saveKept("cost-baselines", { baselines: [baseline] });
  expect(await metric('thormesh_baseline_cost_usd_per_day{baseline="before"}')).toBe(3.5);
});
