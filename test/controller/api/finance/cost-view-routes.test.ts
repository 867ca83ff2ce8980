import { beforeAll, describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { allocationRoutes } from "#controller/api/allocation-routes.ts";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { type CostViewAnswer, costViewRoutes } from "#controller/api/finance/cost-view-routes.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aModel, aPower } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";

const startMs = Date.UTC(2026, 10, 28);
let nowMs = startMs + 2 * dayMs + hourMs;
const store = createMemoryStore();
const births = ["thor-1", "thor-2", "thor-3"].map((agentId, index) =>
  aBirth({ agentId, region: index === 2 ? "us" : "eu" }),
);
const prices = configuredPrices({ tariffUsdPerKwh: 0.36, amortisationUsdPerHour: 0.6 });
const ledger = new CostLedger({ store, prices, nowMs: () => nowMs });
const parts = {
  ...{ store, ledger, fleetName: "demo", timeZone: "UTC", nowMs: () => nowMs },
  fleet: { agents: () => births.map((birth) => ({ agentId: birth.agentId, birth })) },
} as unknown as ApiParts;
const app = costViewRoutes(parts);
const tenantNames = Array.from({ length: 12 }, (_, index) => `tenant-${String(index).padStart(2, "0")}`);

/** A minute each quarter of an hour of two days but one night: all tenants on one device, two on another, the third idle. */
beforeAll(async () => {
  await ledger.recover(births);
  for (let at = startMs; at < startMs + 2 * dayMs; at += 15 * minuteMs) {
    if (at >= startMs + 20 * hourMs && at < startMs + 28 * hourMs) continue;
    for (const [index, agentId] of ["thor-1", "thor-2", "thor-3"].entries()) {
      const base = aMinute({
        ...{ agentId, bootId: agentId, seq: (at - startMs) / minuteMs + 1, minuteStartMs: at },
        power: aPower({ energyJ: 3600, idleJ: 3000, activeJ: 600 }),
      });
      const tenants = tenantNames.slice(0, [12, 2, 0][index]).map((tenant, place) => ({
        ...{ tenant, requests: place + 1, texts: place + 1, tokens: 7, computeMs: 100 * (place + 1) },
      }));
      const computeMs = tenants.reduce((sum, each) => sum + each.computeMs, 0);
      const models = tenants.length === 0 ? [] : [{ ...aModel("minilm", tenants.length, computeMs), tenants }];
      const minute = { ...base, traffic: { ...base.traffic, models } };
      await store.insertMinute(minute, "", ledger.rate(minute));
    }
  }
});

const view = async (query: string) =>
  (await (await app.handle(new Request(`http://controller/api/v1/cost/view?${query}`))).json()) as CostViewAnswer;
const names = async (query: string) =>
  (
    (await (await app.handle(new Request(`http://controller/api/v1/cost/names?${query}`))).json()) as {
      names: string[];
    }
  ).names;
interface Allocation {
  readonly data: readonly Record<string, { readonly totalCost: number; readonly requests: number }>[];
}
const allocation = async (query: string) =>
  (await (
    await allocationRoutes(parts).handle(new Request(`http://controller/allocation?includeIdle=true&${query}`))
  ).json()) as Allocation;
const window = `${startMs},${startMs + 2 * dayMs}`;
const sum = (values: readonly (number | null)[]) => values.reduce<number>((total, value) => total + (value ?? 0), 0);

describe.each(["tenant", "model", "region", "agent"])("by %s", (by) => {
  test.each(["", 'tenant:"tenant-01"', 'region:"us"', 'agent!:"thor-1"'])(
    "with the filter %p groups add up to what /allocation says, in each step, and so do those that are together",
    async (filter) => {
      const query = `window=${window}&filter=${encodeURIComponent(filter)}`;
      const shown = await view(`${query}&by=${by}&top=3`);
      const { data } = await allocation(`${query}&aggregate=${by}&accumulate=true`);
      const rows = Object.entries(data[0] ?? {});
      expect(shown.totalUsd).toBeCloseTo(sum(rows.map(([, { totalCost }]) => totalCost)), 10);
      expect(sum(shown.groups.map(({ usd }) => usd))).toBeCloseTo(shown.totalUsd, 10);
      for (const group of shown.groups) {
        expect(sum(group.steps)).toBeCloseTo(group.usd, 10);
        if (group.kind === "other") continue;
        const name = group.kind === "idle" ? "__idle__" : group.name;
        const row = rows.find(([each]) => each === name)?.[1];
        expect(group.usd).toBeCloseTo(row?.totalCost as number, 10);
        expect(group.requests).toBe(row?.requests as number);
      }
      const hourly = await allocation(`${query}&aggregate=all&step=1h`);
      expect(sum(shown.groups.map(({ steps }) => steps.at(30) ?? 0))).toBeCloseTo(
        sum(Object.values(hourly.data[22] ?? {}).map(({ totalCost }) => totalCost)),
        10,
      );
    },
  );
});

test("a device is an agent, and the dearest of many are read alone", async () => {
  const by = (name: string) => view(`window=${window}&by=${name}&top=1`);
  expect(await by("device")).toEqual(await by("agent"));
  const { groups, others, totalUsd } = await by("device");
  // The third device was not used by anybody.
  expect(groups.map(({ kind, name }) => name || kind)).toEqual(["thor-1", "thor-2", "idle"]);
  expect([others, sum(groups.map(({ usd }) => usd))]).toEqual([0, expect.closeTo(totalUsd, 9)]);
  expect(await names("of=device&text=thor")).toEqual(await names("of=agent&text=thor"));
});

test("the dearest are told apart, the others are one group, idle is the last", async () => {
  const { groups, others, stepMs, stepStarts } = await view(`window=${window}&by=tenant&top=3`);
  expect(groups.map(({ kind, name }) => name || kind)).toEqual([
    "tenant-11",
    "tenant-10",
    "tenant-09",
    "other",
    "idle",
  ]);
  expect(others).toBe(9);
  expect([stepMs, stepStarts.length]).toEqual([hourMs, 48]);
  const all = await view(`window=${window}&by=tenant&top=11`);
  expect(all.groups).toHaveLength(13);
  expect(all.others).toBe(0);
});

test("an hour without any minute is not known, not 0; one in which a group did nothing is 0", async () => {
  const { groups } = await view(`window=${window}&by=tenant&filter=${encodeURIComponent('tenant:"tenant-05"')}`);
  expect(groups[0]?.steps.slice(19, 29).map((usd) => (usd === null ? null : usd > 0))).toEqual([
    true,
    ...Array.from({ length: 8 }, () => null),
    true,
  ]);
});

test("a window in progress is compared with as much of the one before; without records that is not known", async () => {
  nowMs = startMs + dayMs + 20 * hourMs - 1;
  const today = await view("window=today");
  const before = await allocation(`window=${startMs},${startMs + 20 * hourMs - 1}&aggregate=all`);
  expect(today.previousUsd).toBeCloseTo(sum(Object.values(before.data[0] ?? {}).map(({ totalCost }) => totalCost)), 9);
  expect((await view(`window=${window}`)).previousUsd).toBeNull();
  nowMs = startMs + 2 * dayMs + hourMs;
});

test("steps are days in long windows, and weeks in those of months", async () => {
  expect((await view("window=7d")).stepStarts).toHaveLength(7);
  expect((await view("window=90d")).stepMs).toBe(7 * dayMs);
});

test("the table as CSV has a line for each group and a column for each step", async () => {
  const answer = await app.handle(
    new Request(`http://controller/api/v1/cost/view?window=${window}&by=tenant&top=3&format=csv`),
  );
  expect(answer.headers.get("content-disposition")).toContain("cost-by-tenant.csv");
  const lines = (await answer.text()).trimEnd().split("\r\n");
  expect(lines).toHaveLength(6);
  expect(lines[0]?.split(",").slice(0, 7)).toEqual([
    ...["kind", "tenant", "usd", "requests", "tokens", "energy_kwh", "usd_from_2026-11-28T00:00Z"],
  ]);
  expect(lines[1]?.split(",")).toHaveLength(6 + 48);
  expect(lines[1]?.startsWith("group,tenant-11,")).toBe(true);
});

test("names are completed: those that begin with the text first, at most 20", async () => {
  expect(await names(`of=tenant&window=${window}&text=NT-1`)).toEqual(["tenant-10", "tenant-11"]);
  expect(await names(`of=agent&text=2`)).toEqual(["thor-2"]);
  expect(await names(`of=region&window=${window}`)).toEqual(["eu"]);
  expect(await names(`of=model&window=${window}&text=none`)).toEqual([]);
});

test.each(["window=5x", "by=pod", "top=0", "top=101", "filter=shop", "format=xml"])("%s is refused", async (query) => {
  const answer = await app.handle(new Request(`http://controller/api/v1/cost/view?${query}`));
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await answer.text()).toContain(query.split("=")[0] as string);
});

test("a window of more steps than a page can show is refused, and not read", async () => {
  const errors: unknown[] = [];
  const app = new Elysia().onError(({ error }) => errors.push(error)).use(costViewRoutes(parts));
  await app.handle(new Request("http://controller/api/v1/cost/view?window=0,8640000000000000"));
  expect(errors.map(String)).toContain('ServiceError: window: expected at most 1000 weeks, got "0,8640000000000000"');
});
