import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AllocationOptions } from "#controller/cost/allocation/allocation-input.ts";
import { costsOf, totalOf } from "#controller/cost/allocation/costs.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { readUsage } from "#controller/cost/ledger/read-usage.ts";
import { allocateWindow } from "#controller/cost/metering/allocation-sets.ts";
import { findDearestAgents } from "#controller/cost/metering/dearest-agents.ts";
import type { FleetUsage } from "#controller/cost/metering/fleet-usage.ts";
import { divideToNearest, productOf, sumOf } from "#controller/cost/money/money.ts";
import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { cataloguePrices, configuredPrices, type PriceSource } from "#controller/cost/prices/price-source.ts";
import type { TimeWindow } from "#controller/cost/window/parse-window.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Store } from "#controller/store/store.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { openDatabase } from "#platform/files/open-database.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { Birth, MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, aPower } from "../../../fakes/builders.ts";

const firstMs = Date.UTC(2026, 9, 24);
const fleetPrices = { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 };
const directory = mkdtempSync(join(tmpdir(), "thormesh-ledger-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Prices of one run of the controller: configured, or of a catalogue with hours of its own. */
function pricesOf(random: () => number): PriceSource {
  if (random() < 0.3) return configuredPrices(fleetPrices);
  const price = () => Number((random() * 0.9).toFixed(1 + Math.floor(random() * 8)));
  const catalogue = {
    currency: "USD",
    timeZone: "Europe/Berlin",
    electricity: [
      { from: "2026-01-01", perKwh: price() },
      {
        ...{ region: "eu", from: "2026-01-01", until: "2026-10-25", perKwh: price() },
        hours: [{ from: "22:30", until: "06:15", perKwh: price() }],
      },
      { region: "eu", from: "2026-10-25", perKwh: price() },
    ],
    devices: [{ model: "a1", from: "2026-01-01", purchase: Math.floor(random() * 9999), lifetimeMonths: 37 }],
  };
  return cataloguePrices(parseConfig(PriceCatalogue, catalogue, "catalogue"), fleetPrices);
}

function minuteOf(random: () => number, agentId: string, seq: number, minuteStartMs: number): MinuteData {
  const observedMs = random() < 0.9 ? 60_000 : random() * 60_000;
  const energyJ = random() * 6000;
  const tenants = (computeMs: number) =>
    ["red", "blue", "green"].slice(0, 1 + Math.floor(random() * 3)).map((tenant) => ({
      ...{ tenant, requests: 1 + Math.floor(random() * 9), texts: 9, tokens: 70, computeMs: computeMs * random() },
      offersUsd: random() < 0.2 ? random() / 999 : 0,
    }));
  const models = ["minilm", "e5"].slice(0, Math.floor(random() * 3)).map((name) => {
    const each = tenants(20_000);
    const of = (field: "requests" | "texts" | "tokens" | "computeMs" | "offersUsd") =>
      each.reduce((sum, part) => sum + part[field], 0);
    const model = { ...aModel(name, of("requests"), of("computeMs")), texts: of("texts"), tokens: of("tokens") };
    return { ...model, offersUsd: of("offersUsd"), tenants: each };
  });
  const power = random() < 0.1 ? null : aPower({ energyJ, measuredMs: observedMs });
  const minute = aMinute({ agentId, bootId: `boot-${agentId}`, seq, minuteStartMs, observedMs, power });
  return { ...minute, traffic: { ...minute.traffic, models } };
}

/** A fleet's days as the controller sees them: late, repeated and unrated minutes, new prices and places, restarts. */
async function play(seed: number): Promise<{ store: Store; ledger: CostLedger; nowMs: number }> {
  const random = seededRandom(seed);
  const path = join(directory, `${seed}.db`);
  const open = () => createSqliteStore(openDatabase(path, controllerMigrations, createLogger("test", "silent"), 1));
  let nowMs = firstMs;
  const clock = () => nowMs;
  let store = open();
  let ledger = new CostLedger({ store, prices: pricesOf(random), nowMs: clock });
  await ledger.recover([]);
  const agents = ["a1", "a2", "b1"];
  const births = new Map<string, Birth>();
  const late: MinuteData[] = [];
  const sent: MinuteData[] = [];
  const insert = async (minute: MinuteData) => {
    sent.push(minute);
    await store.insertMinute(minute, "", random() < 0.9 ? ledger.rate(minute) : null);
  };
  const seqs = new Map<string, number>();
  while (nowMs < firstMs + 3 * dayMs) {
    nowMs += Math.floor(1 + random() * 90) * minuteMs;
    for (const agentId of agents) {
      if (births.get(agentId) === undefined || random() < 0.03) {
        const prices = { tariffUsdPerKwh: random() < 0.2 ? random() : null, amortisationUsdPerHour: null };
        const region = random() < 0.7 ? "eu" : "us";
        const birth = aBirth({ agentId, region, prices, tags: { site: agentId[0] as string } });
        if (random() < 0.9) await ledger.observeBirth(birth);
        births.set(agentId, birth);
      }
      for (let count = Math.floor(random() * 5); count > 0; count -= 1) {
        const seq = (seqs.get(agentId) ?? 0) + 1;
        seqs.set(agentId, seq);
        const minute = minuteOf(random, agentId, seq, Math.floor(nowMs / minuteMs - random() * 60) * minuteMs);
        if (random() < 0.1) late.push(minute);
        else await insert(minute);
      }
    }
    if (random() < 0.2) for (const minute of late.splice(0)) await insert(minute);
    const repeated = sent[Math.floor(random() * sent.length)];
    if (repeated !== undefined) await insert(repeated);
    if (random() < 0.3) await ledger.run();
    if (random() < 0.03) {
      await store.close();
      store = open();
      ledger = new CostLedger({ store, prices: pricesOf(random), nowMs: clock });
      await ledger.recover([...births.values()]);
    }
  }
  for (const birth of births.values()) await ledger.observeBirth(birth);
  if (random() < 0.5) await ledger.run();
  return { store, ledger, nowMs };
}

const options: AllocationOptions = {
  ...{ shareIdle: "none", idleByNode: false, splitIdle: false, mergeUnallocated: false },
  ...{ shareSplit: "weighted", share: null, filter: null, sharedHourlyCosts: {} },
  ...{ shareAny: [], sharedMonthlyCosts: {} },
};
/** Hours of a window's steps. */
function stepsOf({ startMs, endMs }: TimeWindow, stepMs: number): number[] {
  const starts = Array.from({ length: Math.ceil((endMs - startMs) / stepMs) }, (_, index) => startMs + index * stepMs);
  return starts.map((at) => (Math.min(endMs, at + stepMs) - at) / hourMs);
}
/** DNS at 0.07 and monitoring at 1.3 an hour, support at 100 a month of 730 hours. */
const fixedCosts = (hours: number) =>
  productOf(0.07, hours) + productOf(1.3, hours) + divideToNearest(productOf(100, hours), 730n);
const groupings = [["tenant"], ["model"], ["region"], ["tenant", "model"], ["agent"], ["label:site"], ["all"], []];

/** Sums of an agent's, or of the others' (empty name) use and devices, by region, tenant and model. */
function sumsOf(
  usage: FleetUsage,
  nameOf: (agentId: string) => string,
): Map<string, { usd: bigint; requests: number }> {
  const sums = new Map<string, { usd: bigint; requests: number }>();
  const add = (key: readonly string[], usd: bigint, requests: number) => {
    const sum = sums.get(key.join()) ?? { usd: 0n, requests: 0 };
    sums.set(key.join(), { usd: sum.usd + usd, requests: sum.requests + requests });
  };
  for (const item of usage.items())
    add([nameOf(item.node), item.cluster, item.namespace, item.container], totalOf(costsOf(item)), item.requests);
  for (const { agentId, region, cost } of usage.devices()) add([nameOf(agentId), region], cost, 0);
  for (const [key, { usd, requests }] of sums) if (usd === 0n && requests === 0) sums.delete(key);
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test.each([5, 6])("fleet %p: some agents and the others together are what all are one by one", async (seed) => {
  const { store, ledger, nowMs } = await play(seed);
  const random = seededRandom(seed + 2000);
  const parts = { store, ledger, nowMs: () => nowMs, labelsOf: () => ({}) };
  for (let index = 0; index < 9; index += 1) {
    const unit = [minuteMs, hourMs, dayMs][index % 3] as number;
    const startMs = Math.floor((firstMs + random() * 2.5 * dayMs) / unit) * unit;
    const window = { startMs, endMs: startMs + unit * Math.ceil(random() * 3) };
    await ledger.settle(window.startMs, window.endMs);
    const told = new Set(["a1", "a2", "b1", "gone"].filter(() => random() < 0.5));
    const apart = await readUsage(window, told, parts);
    const full = await readUsage(window, true, parts);
    expect(sumsOf(apart, (agentId) => agentId)).toEqual(sumsOf(full, (agentId) => (told.has(agentId) ? agentId : "")));
    const query = {
      ...{ window, stepMs: 7 * hourMs, aggregateBy: ["agent", "tenant"], includeIdle: true, accumulate: true },
      options: {
        ...{ ...options, shareIdle: (["none", "weighted", "even"] as const)[index % 3] ?? "none" },
        ...{ idleByNode: random() < 0.5, filter: { op: "eq", field: "agent", value: "a2" } as const },
      },
    };
    const rowsOf = async (ofAll: boolean) => {
      const sets = await allocateWindow(query, (step, of) => readUsage(step, ofAll || of, parts));
      return sets.flatMap(({ rows }) => rows.map(({ name, costs }) => [name, Number(totalOf(costs))] as const)).sort();
    };
    const [filtered, filteredOfAll] = [await rowsOf(false), await rowsOf(true)];
    expect(filtered.map(([name]) => name)).toEqual(filteredOfAll.map(([name]) => name));
    // Idle is split between fewer, so its last digits may differ.
    for (const [place, [, pico]] of filtered.entries())
      expect(Math.abs(pico - (filteredOfAll[place]?.[1] ?? 0))).toBeLessThan(100);
    const used = new Map<string, bigint>();
    for (const item of full.items())
      if (item.namespace === "red") used.set(item.node, (used.get(item.node) ?? 0n) + totalOf(costsOf(item)));
    const filter = { op: "eq", field: "tenant", value: "red" } as const;
    const dearest = await findDearestAgents(window, filter, 1, parts);
    if (dearest === null || unit === minuteMs) continue;
    const byCost = [...used].sort(([, a], [, b]) => Number(b - a)).map(([agentId]) => agentId);
    expect([...dearest.agents]).toEqual(byCost.length > 2 ? byCost.slice(0, 1) : byCost);
    expect(dearest.others).toBe(byCost.length > 2 ? byCost.length - 1 : 0);
  }
  await store.close();
});

test.each([1, 2, 3, 4])(
  "fleet %p: allocations, idle and shared add up to the assets, to the last digit",
  async (seed) => {
    const { store, ledger, nowMs } = await play(seed);
    const random = seededRandom(seed + 1000);
    // Prices of now hold for all that is on record, once what they change was rated again.
    await ledger.run();
    const parts = { store, ledger, nowMs: () => nowMs, labelsOf: (id: string) => ({ site: id[0] as string }) };
    for (let index = 0; index < 24; index += 1) {
      const unit = [minuteMs, hourMs, dayMs][index % 3] as number;
      const at = (share: number) => Math.floor((firstMs + share * 3.2 * dayMs) / unit) * unit;
      const startMs = at(random() * 0.8);
      const window = { startMs, endMs: Math.max(startMs + unit, at(0.2 + random() * 0.8)) };
      await ledger.settle(window.startMs, window.endMs);
      const rated = [];
      for await (const minute of store.minutes(window.startMs, window.endMs)) rated.push(ledger.rate(minute));
      const devices = sumOf(rated.map(({ device }) => device.energy + device.owning));
      const offers = sumOf(rated.flatMap(({ work }) => work.map((part) => part.offers)));
      for (const aggregateBy of groupings) {
        const shared = random() < 0.5 ? { dns: 0.07, monitoring: 1.3 } : {};
        const steps = random() < 0.3 ? 7 * hourMs : window.endMs - window.startMs;
        const sets = await allocateWindow(
          {
            ...{ window, stepMs: steps, aggregateBy, includeIdle: true, accumulate: random() < 0.5 },
            options: {
              ...{ ...options, sharedHourlyCosts: shared, sharedMonthlyCosts: "dns" in shared ? { support: 100 } : {} },
              ...{ idleByNode: random() < 0.4, splitIdle: random() < 0.5 },
              shareIdle: (["none", "weighted", "even"] as const)[Math.floor(random() * 3)] ?? "none",
              shareAny: random() < 0.2 ? [{ op: "eq", field: "model", value: "e5" }] : [],
              share: random() < 0.3 ? { op: "eq", field: "tenant", value: "red" } : null,
            },
          },
          (step, byAgent) => readUsage(step, byAgent, parts),
        );
        const rows = sumOf(sets.flatMap((set) => set.rows.map(({ costs }) => totalOf(costs))));
        const assets = sumOf(sets.flatMap((set) => set.devices.map(({ cost }) => cost)));
        expect(assets).toBe(devices);
        const fixed = Object.keys(shared).length === 0 ? [] : stepsOf(window, steps).map(fixedCosts);
        expect(rows).toBe(devices + offers + sumOf(fixed));
      }
    }
    await store.close();
  },
);
