import { beforeAll, describe, expect, test } from "bun:test";
import { allocationRoutes } from "#controller/api/allocation-routes.ts";
import type { AllocationView } from "#controller/api/allocation-views.ts";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { costRoutes } from "#controller/api/cost-routes.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import { CostLedger } from "#controller/cost/ledger/cost-ledger.ts";
import type { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { cataloguePrices, configuredPrices, type PriceSource } from "#controller/cost/prices/price-source.ts";
import type { PowerReport } from "#controller/cost/report-power.ts";
import type { Store } from "#controller/store/store.ts";
import { hourMs } from "#platform/time.ts";
import type { Birth, MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, aPower } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";

const startMs = Date.UTC(2026, 10, 30, 8);
const store = createMemoryStore();
const pricedStore = createMemoryStore();
const births: readonly Birth[] = [
  aBirth({ agentId: "thor-1", region: "eu", tags: { site: "north" } }),
  aBirth({ agentId: "thor-2", region: "eu", tags: { site: "south" } }),
  aBirth({ agentId: "thor-3", region: "us", tags: { site: "south" } }),
];
const prices = { tariffUsdPerKwh: 0.36, amortisationUsdPerHour: 0.6 };
const nowMs = () => startMs + 2 * hourMs - 1000;
/** Ledger with the agents' births. */
async function ledgerOf(of: Store, source: PriceSource): Promise<CostLedger> {
  const ledger = new CostLedger({ store: of, prices: source, nowMs });
  await ledger.recover(births);
  return ledger;
}
const ledger = await ledgerOf(store, configuredPrices(prices));
const parts = {
  ...{ store, ledger, fleetName: "demo", timeZone: "UTC", nowMs },
  fleet: { agents: () => births.map((birth) => ({ agentId: birth.agentId, birth })) },
  prices,
  openPrices: () => configuredPrices(prices),
  powerAssumptions: { tariffUsdPerKwh: 0.36, co2KgPerKwh: 0.4, targetUtilization: 0.8 },
} as unknown as ApiParts;

async function insert(minute: MinuteData): Promise<void> {
  await store.insertMinute(minute, "", ledger.rate(minute));
  // Hours that are left to be rated are when somebody asks.
  await pricedStore.insertMinute(minute);
}

/** Two hours of three agents: red and blue on the first, red on the second, which pays offers; the third is idle and measures half. */
beforeAll(async () => {
  for (let index = 0; index < 120; index += 1) {
    const minuteStartMs = startMs + index * 60_000;
    const base = (agentId: string, power: ReturnType<typeof aPower>) =>
      aMinute({ agentId, bootId: agentId, seq: index + 1, minuteStartMs, power });
    const tenant = (name: string, computeMs: number) => ({
      tenant: name,
      requests: 10,
      texts: 10,
      tokens: 70,
      computeMs,
    });
    const power = aPower({
      energyJ: 3600,
      idleJ: 3000,
      activeJ: 600,
      models: [
        {
          model: "minilm",
          energyJ: 600,
          tenants: [
            { tenant: "red", energyJ: 450 },
            { tenant: "blue", energyJ: 150 },
          ],
        },
      ],
    });
    const first = base("thor-1", power);
    const models = [{ ...aModel("minilm", 20, 8000), tenants: [tenant("red", 6000), tenant("blue", 2000)] }];
    await insert({ ...first, traffic: { ...first.traffic, models } });
    const second = base("thor-2", aPower({ energyJ: 3600 }));
    const sent = { ...aModel("e5", 10, 3000 * (1 + (index % 7))), offersUsd: 0.000123, sentTexts: 4 };
    const tenants = [{ ...tenant("red", sent.computeMs), offersUsd: 0.000123, sentTexts: 4 }];
    await insert({ ...second, traffic: { ...second.traffic, models: [{ ...sent, tenants }] } });
    const third = base("thor-3", aPower({ energyJ: 600, measuredMs: 30_000 }));
    await insert({ ...third, traffic: { ...third.traffic, models: [] } });
  }
});

interface Answer<Row> {
  readonly code: number;
  readonly data: readonly Record<string, Row>[];
  readonly warning?: string;
}
const app = () => allocationRoutes(parts);
async function ask<Row = AllocationView>(path: string): Promise<Answer<Row>> {
  const answer = await app().handle(new Request(`http://controller${path}`));
  expect(answer.status).toBe(200);
  return (await answer.json()) as Answer<Row>;
}
const totals = (set: Record<string, { totalCost: number }> = {}) =>
  Object.fromEntries(Object.entries(set).map(([name, { totalCost }]) => [name, totalCost]));
const sum = (values: Record<string, number>) => Object.values(values).reduce((total, value) => total + value, 0);

test("a device is an agent, in groups and in conditions", async () => {
  for (const more of ["", `&filter=${encodeURIComponent('agent:"thor-2"')}`]) {
    const byAgent = await ask(`/allocation?window=24h&includeIdle=true&aggregate=agent,tenant${more}`);
    const query = `aggregate=device,tenant${more.replace("agent", "device")}`;
    expect(await ask(`/allocation?window=24h&includeIdle=true&${query}`)).toEqual(byAgent);
    expect(Object.keys(byAgent.data[0] ?? {})).toContain("thor-2/red");
  }
});

describe("what the fleet cost", () => {
  // 360 device minutes at 0.01; energy of 120 × (3,600 + 3,600 + 600) J at 0.36 a kWh; offers.
  const all = 3.6 + 0.0936 + 120 * 0.000123;

  test.each([
    ...["tenant", "model", "agent", "region", "tenant,model", "region,agent,tenant,model", "label:site", "all", ""],
  ])("by %p, idle included: rows add up to all of it, and so do assets and offers", async (aggregate) => {
    for (const more of ["", "&shareIdle=weighted", "&shareIdle=even&idleByNode=true", "&splitIdle=true", "&step=1h"]) {
      const { data } = await ask(`/allocation?window=2h&includeIdle=true&aggregate=${aggregate}${more}`);
      expect(data.reduce((total, set) => total + sum(totals(set)), 0)).toBeCloseTo(all, 10);
    }
    const assets = await ask("/assets?window=2h");
    expect(sum(totals(assets.data[0]))).toBeCloseTo(all - 120 * 0.000123, 10);
  });

  test("tenants pay the device's time and energy above idle, and offers", async () => {
    const { data, code, warning } = await ask("/allocation?window=2h&aggregate=tenant");
    expect(code).toBe(200);
    expect(Object.keys(data[0] ?? {})).toEqual(["blue", "red"]);
    expect(data[0]?.["blue"]).toMatchObject({
      properties: { cluster: "eu", node: "thor-1", namespace: "blue", container: "minilm", labels: { site: "north" } },
      ...{ start: "2026-11-30T08:00:00Z", end: "2026-11-30T10:00:00Z", minutes: 120, externalCost: 0 },
    });
    expect(data[0]?.["red"]?.properties).toEqual({ cluster: "eu", namespace: "red", labels: {} });
    expect(warning).toBe("the energy of 60 agent-minutes is unknown: the true cost is higher than shown");
  });
});

test("a window of hours ends with the present one", async () => {
  const { data } = await ask("/allocation?window=2h&aggregate=tenant&step=1h");
  expect(data.map((set) => set["red"]?.end)).toEqual(["2026-11-30T09:00:00Z", "2026-11-30T10:00:00Z"]);
});

test("cost report and allocation are of one definition", async () => {
  const window = `${startMs},${startMs + 2 * hourMs}`;
  const report = (await (
    await costRoutes(parts).handle(new Request(`http://controller/api/v1/cost?window=${window}`))
  ).json()) as CostReport;
  const [set] = (await ask(`/allocation?window=${window}&aggregate=tenant&includeIdle=true`)).data;
  expect(report.tenants.length).toBe(2);
  for (const { tenant, usedUsd, activeKwh, requests } of report.tenants) {
    const row = set?.[tenant];
    expect(row?.totalCost).toBeCloseTo(usedUsd, 12);
    expect(row?.energyKwh).toBeCloseTo(activeKwh, 12);
    expect(row?.requests).toBe(requests);
  }
  expect(sum(totals(set))).toBeCloseTo(report.totalUsd, 12);
  const { serving, idle, standby } = report.byUse;
  const shareOfIdle = report.tenants.reduce((total, { idleUsd }) => total + idleUsd, 0);
  expect(set?.["__idle__"]?.totalCost).toBeCloseTo(shareOfIdle + idle.totalUsd + standby.totalUsd, 12);
  expect(serving.totalUsd).toBeCloseTo(
    report.tenants.reduce((total, { totalUsd }) => total + totalUsd, 0),
    12,
  );
});

describe("steps", () => {
  const window = `${startMs},${startMs + 2 * hourMs}`;

  test("are sets; accumulated they are the sum by name", async () => {
    const steps = (await ask(`/allocation?window=${window}&step=30m&aggregate=tenant`)).data;
    expect(steps.map((set) => set["red"]?.minutes)).toEqual([30, 30, 30, 30]);
    const [whole] = (await ask(`/allocation?window=${window}&step=30m&accumulate=true&aggregate=tenant`)).data;
    const [once] = (await ask(`/allocation?window=${window}&aggregate=tenant`)).data;
    expect(totals(whole)["red"]).toBeCloseTo(
      steps.reduce((total, set) => total + (set["red"]?.totalCost ?? 0), 0),
      12,
    );
    expect(totals(whole)["blue"]).toBeCloseTo(totals(once)["blue"] ?? -1, 12);
    expect(whole?.["red"]?.minutes).toBe(120);
    expect(whole?.["red"]?.requests).toBe(once?.["red"]?.requests as number);
  });

  test("the last one may be shorter", async () => {
    const steps = (await ask(`/allocation?window=${window}&step=50m&aggregate=all`)).data;
    expect(steps.map((set) => set[""]?.minutes)).toEqual([50, 50, 20]);
  });

  test("a window without a minute has no set", async () => {
    expect((await ask("/allocation?window=2026-11-01T00:00:00Z,2026-11-02T00:00:00Z")).data).toEqual([]);
  });
});

test("a filter keeps rows, and of idle what they would receive; the summary has the same totals", async () => {
  const query = `window=${startMs},${startMs + 2 * hourMs}&aggregate=tenant&filter=${encodeURIComponent('tenant:"blue"+label[site]!:"south"')}`;
  const kept = await ask(`/allocation?${query}`);
  expect(Object.keys(kept.data[0] ?? {})).toEqual(["blue"]);
  expect(totals((await ask(`/allocation/compute?${query}`)).data[0])).toEqual(totals(kept.data[0]));
  expect((await ask<object>(`/allocation/summary?${query}`)).data[0]).toEqual({
    blue: {
      ...{ name: "blue", start: "2026-11-30T08:00:00Z", end: "2026-11-30T10:00:00Z", sharedCost: 0, externalCost: 0 },
      ...{ gpuCost: expect.closeTo(0.0418, 9), totalCost: expect.closeTo(0.0418, 9), totalEfficiency: 1 },
    },
  });
});

test("assets are devices with their region, energy and amortisation", async () => {
  const window = `${startMs},${startMs + 2 * hourMs}`;
  const { data } = await ask<object>(`/assets?window=${window}&filter=${encodeURIComponent('region:"us"')}`);
  expect(data).toEqual([
    {
      "us/thor-3": {
        type: "Node",
        properties: { category: "Compute", provider: "demo", cluster: "us", name: "thor-3", providerID: "thor-3" },
        labels: { site: "south" },
        window: { start: "2026-11-30T08:00:00Z", end: "2026-11-30T10:00:00Z" },
        ...{ start: "2026-11-30T08:00:00Z", end: "2026-11-30T10:00:00Z", minutes: 120, nodeType: "device" },
        ...{
          gpuHours: 2,
          gpuCost: 1.2072,
          energyCost: 0.0072,
          amortisationCost: 1.2,
          energyKwh: expect.closeTo(0.02, 12),
        },
        ...{ missingEnergyMinutes: 60, adjustment: 0, totalCost: 1.2072 },
      },
    },
  ]);
});

describe("with a price catalogue", () => {
  // Until 9:00 on that day a kilowatt-hour is 0.36, then 3.6; the boards' price is known, that of thor-3 is not.
  const catalogue: PriceCatalogue = {
    ...{ currency: "USD", timeZone: "UTC", places: 2, instances: [], charges: [] },
    electricity: [
      {
        ...{ region: "", from: "2026-01-01", perKwh: 0.36 },
        hours: [{ days: ["mon"], from: "09:00", until: "24:00", perKwh: 3.6 }],
      },
    ],
    devices: ["thor-1", "thor-2"].map((model) => ({
      ...{ model, from: "2026-01-01", purchase: 4380, lifetimeMonths: 10, residual: 0, maintenancePerMonth: 0 },
    })),
  };
  let priced: ApiParts;
  beforeAll(async () => {
    const own = await ledgerOf(pricedStore, cataloguePrices(catalogue, prices));
    priced = { ...parts, store: pricedStore, ledger: own, openPrices: () => cataloguePrices(catalogue, prices) };
  });
  const window = `${startMs},${startMs + 2 * hourMs}`;

  test("minutes are priced by their hour, and what has no price is counted and named", async () => {
    const answer = await allocationRoutes(priced).handle(new Request(`http://controller/assets?window=${window}`));
    const { data, warning } = (await answer.json()) as Answer<{ energyCost: number; amortisationCost: number }>;
    expect(data[0]?.["eu/thor-1"]).toMatchObject({ energyCost: 60 * 0.00036 + 60 * 0.0036, amortisationCost: 1.2 });
    expect(data[0]?.["us/thor-3"]).toMatchObject({ amortisationCost: 1.2 });
    expect(warning).toBe(
      "the energy of 60 agent-minutes is unknown: the true cost is higher than shown; no price in the catalogue for " +
        `${births[2]?.board.name} (devices, 120 agent-minutes): the configured price counts instead`,
    );
  });

  test("cost and power report have the same prices", async () => {
    const get = async <T>(path: string) =>
      (await (await costRoutes(priced).handle(new Request(`http://controller${path}?window=${window}`))).json()) as T;
    const cost = await get<CostReport>("/api/v1/cost");
    const power = await get<PowerReport>("/api/v1/power/report");
    expect(cost.energyUsd).toBeCloseTo(60 * (0.00078 + 0.0078), 9);
    expect(power.actual.usd).toBeCloseTo(cost.energyUsd, 9);
    expect(cost.priceGaps).toEqual([{ section: "devices", what: births[2]?.board.name as string, count: 120 }]);
    const { activeUsd } = power.energyByUse.byTenant.find(({ tenant }) => tenant === "red") ?? {};
    expect(activeUsd).toBeCloseTo(60 * (450 / 3.6e6) * (0.36 + 3.6), 12);
  });
});

describe("shared costs", () => {
  const window = `${startMs},${startMs + 2 * hourMs}`;
  const ask2 = async (more: string) =>
    totals((await ask(`/allocation?window=${window}&aggregate=tenant&includeIdle=true&${more}`)).data[0]);

  test("a tenant's cost is borne by the others, and so is that of labels", async () => {
    const plain = await ask2("");
    const shared = await ask2("shareNamespaces=blue");
    expect(Object.keys(shared).toSorted()).toEqual(["__idle__", "red"]);
    expect(shared["red"]).toBeCloseTo((plain["red"] ?? 0) + (plain["blue"] ?? 0), 12);
    const north = await ask2("shareLabels=site:north");
    expect(sum(north)).toBeCloseTo(sum(plain), 12);
    expect(Object.keys(north).toSorted()).toEqual(["__idle__", "red"]);
  });

  test("fixed costs are split by the groups' cost, or evenly; only of the time that has passed", async () => {
    const plain = await ask2("");
    const hours = (nowMs() - startMs) / hourMs;
    const evenly = await ask2("shareHourlyCosts=dns:0.07,support:1.3&sharedOverhead=73&shareSplit=even");
    const each = (hours * (0.07 + 1.3 + 0.1)) / 2;
    for (const tenant of ["red", "blue"]) expect(evenly[tenant]).toBeCloseTo((plain[tenant] ?? 0) + each, 9);
    const weighted = await ask2("sharedOverhead=730");
    expect(sum(weighted)).toBeCloseTo(sum(plain) + hours, 9);
    expect((weighted["red"] ?? 0) / (weighted["blue"] ?? 1)).toBeCloseTo((plain["red"] ?? 0) / (plain["blue"] ?? 1), 6);
  });

  test("without any minute, fixed costs are in a row of their own", async () => {
    const { data } = await ask(
      "/allocation?window=2026-11-01T00:00:00Z,2026-11-02T00:00:00Z&aggregate=tenant&shareHourlyCosts=dns:0.5",
    );
    expect(totals(data[0])).toEqual({ __shared__: 12 });
  });

  test.each([
    ["shareHourlyCosts=dns", "NAME:AMOUNT"],
    ["shareHourlyCosts=dns:-1", "NAME:AMOUNT"],
    ["shareHourlyCosts=dns:1e9", "NAME:AMOUNT"],
    ["shareSplit=fair", "weighted or even"],
    ["shareLabels=site", "NAME:VALUE"],
  ])("%s is refused by name", async (query, says) => {
    const answer = await app().handle(new Request(`http://controller/allocation?window=${window}&${query}`));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const text = await answer.text();
    expect(text).toContain(query.split("=")[0] as string);
    expect(text).toContain(says);
  });
});
