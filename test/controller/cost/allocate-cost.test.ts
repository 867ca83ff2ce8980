import { describe, expect, test } from "bun:test";
import { CostAllocation } from "#controller/cost/allocate-cost.ts";
import type { Birth, MinuteData } from "#protocol/messages.ts";
import { aBirth, aMinute, aModel, aPower, aTraffic } from "../../fakes/builders.ts";

const fleetPrices = { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.12 };

function reportOf(minutes: readonly MinuteData[], births: Record<string, Birth | null> = { "thor-1": aBirth() }) {
  const allocation = new CostAllocation(new Map(Object.entries(births)), fleetPrices);
  for (const minute of minutes) allocation.add(minute);
  return allocation.report({ startMs: 0, endMs: 3_600_000 });
}

const energy = (energyJ: number, measuredMs = 60_000) => aPower({ energyJ, measuredMs });

describe("cost", () => {
  test("the reference sum: five devices at 15 W for a month of 720 h are 54 kWh and 8.10 $", () => {
    const allocation = new CostAllocation(new Map(), { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0 });
    for (let hour = 0; hour < 720; hour += 1) {
      for (const agentId of ["a", "b", "c", "d", "e"]) {
        const minuteStartMs = hour * 3_600_000;
        const power = energy(15 * 3600, 3_600_000);
        allocation.add(aMinute({ agentId, minuteStartMs, observedMs: 3_600_000, power }));
      }
    }
    const report = allocation.report({ startMs: 0, endMs: 1 });
    expect(report.energyKwh).toBeCloseTo(54, 9);
    expect(report.totalUsd).toBeCloseTo(8.1, 9);
  });

  test("one minute: energy × tariff + a minute's amortisation", () => {
    const report = reportOf([aMinute({ requests: 500, power: energy(3600) })]);
    expect(report.energyKwh).toBeCloseTo(0.001, 12);
    expect(report.energyUsd).toBeCloseTo(0.00015, 12);
    expect(report.amortisationUsd).toBeCloseTo(0.002, 12);
    expect(report.totalUsd).toBeCloseTo(0.00215, 12);
    expect(report.usdPer1000Requests).toBeCloseTo(0.0043, 12);
    expect(report.missingEnergyMinutes).toBe(0);
  });

  test("agents, uses and models each add up to the total", () => {
    const minutes: MinuteData[] = [];
    for (let index = 0; index < 600; index += 1) {
      const agentId = `thor-${index % 7}`;
      const data = aMinute({
        agentId,
        minuteStartMs: Math.floor(index / 7) * 60_000,
        role: index % 3 === 0 ? "standby" : "active",
        power: index % 11 === 0 ? null : energy(100 + (index % 13) * 333.333),
      });
      const models = index % 2 === 0 ? [] : [aModel("a", index, index * 1.7), aModel("b", index % 5, 3.1)];
      minutes.push({ ...data, traffic: { ...data.traffic, models } });
    }
    const report = reportOf(minutes, {
      "thor-3": aBirth({ prices: { tariffUsdPerKwh: 0.4, amortisationUsdPerHour: 1 } }),
    });
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    expect(report.totalUsd).toBeGreaterThan(0.5);
    expect(sum(report.agents.map((row) => row.totalUsd))).toBeCloseTo(report.totalUsd, 9);
    const { serving, idle, standby } = report.byUse;
    expect(serving.totalUsd + idle.totalUsd + standby.totalUsd).toBeCloseTo(report.totalUsd, 9);
    expect(sum(report.models.map((row) => row.totalUsd))).toBeCloseTo(serving.totalUsd, 9);
    expect(sum(report.models.map((row) => row.requests))).toBe(report.requests);
    expect(sum(report.agents.map((row) => row.missingEnergyMinutes))).toBeCloseTo(report.missingEnergyMinutes, 9);
    expect(idle.totalUsd).toBeGreaterThan(0);
    expect(standby.totalUsd).toBeGreaterThan(0);
  });

  test("what offers were paid is in the total, at the agent, model and tenant whose requests they were; a peer's price is not", () => {
    const entry = aMinute({ agentId: "entry", power: null });
    const worker = aMinute({ agentId: "worker", power: energy(3600) });
    const model = aModel("a", 100, 0);
    const tenant = (name: string, requests: number) => ({
      tenant: name,
      requests,
      texts: requests,
      tokens: 0,
      computeMs: 0,
    });
    const sent = {
      ...{ ...model, sentTexts: 100, offersUsd: 0.25 },
      routes: [
        { kind: "peer" as const, requests: 60, texts: 60, usd: 0.01 },
        { kind: "spot" as const, requests: 30, texts: 30, usd: 0.05 },
        { kind: "on-demand" as const, requests: 10, texts: 10, usd: 0.2 },
      ],
      tenants: [tenant("red", 60), { ...tenant("blue", 40), sentTexts: 40, offersUsd: 0.25 }],
    };
    const computed = { ...aModel("a", 0, 60), peerTexts: 60 };
    const report = reportOf([
      { ...entry, traffic: { ...entry.traffic, models: [sent] } },
      { ...worker, traffic: { ...worker.traffic, models: [computed] } },
    ]);
    // Two devices, a minute each; the energy where it was computed; the offers.
    expect(report.totalUsd).toBeCloseTo(2 * 0.002 + 0.00015 + 0.25, 12);
    expect(report).toMatchObject({ requests: 100, offersUsd: 0.25, byUse: { idle: { totalUsd: 0 } } });
    expect(report.routes).toEqual([
      { kind: "on-demand", requests: 10, texts: 10, usd: 0.2 },
      { kind: "peer", requests: 60, texts: 60, usd: 0.01 },
      { kind: "spot", requests: 30, texts: 30, usd: 0.05 },
    ]);
    expect(report.agents.map(({ agentId, offersUsd }) => [agentId, offersUsd])).toEqual([
      ["entry", 0.25],
      ["worker", 0],
    ]);
    expect(report.tenants.map(({ tenant: name, offersUsd }) => [name, offersUsd])).toEqual([
      ["blue", 0.25],
      ["default", 0],
      ["red", 0],
    ]);
    for (const rows of [report.agents, report.models, report.tenants])
      expect(rows.reduce((sum, { totalUsd }) => sum + totalUsd, 0)).toBeCloseTo(report.totalUsd, 12);
  });

  test("models share by compute time, by requests where none is recorded", () => {
    const base = aMinute({ power: energy(3600) });
    const withModels = (models: ReturnType<typeof aModel>[]) => ({ ...base, traffic: { ...base.traffic, models } });
    const shares = (report: ReturnType<typeof reportOf>) => report.models.map((row) => row.totalUsd / report.totalUsd);
    expect(shares(reportOf([withModels([aModel("a", 100, 300), aModel("b", 300, 100)])]))).toEqual([0.75, 0.25]);
    expect(shares(reportOf([withModels([aModel("a", 100, 0), aModel("b", 300, 0)])]))).toEqual([0.25, 0.75]);
  });

  test("tenants share by compute time likewise, and add up to what the models cost; requests of no tenant are the default one's", () => {
    const base = aMinute({ power: energy(3600) });
    const split = (name: string, computeMs: number, requests: number) => ({
      tenant: name,
      requests,
      texts: requests,
      tokens: requests * 10,
      computeMs,
    });
    const models = [
      { ...aModel("a", 100, 300), tenants: [split("red", 300, 1), split("blue", 0, 99)] },
      aModel("b", 300, 100),
    ];
    const report = reportOf([{ ...base, traffic: { ...base.traffic, models } }]);
    const share = (usd: number) => usd / report.totalUsd;
    expect(report.tenants.map(({ tenant, totalUsd, requests }) => [tenant, share(totalUsd), requests])).toEqual([
      ["blue", 0, 99],
      ["default", 0.25, 300],
      ["red", 0.75, 1],
    ]);
    expect(report.models.map(({ model, totalUsd }) => [model, share(totalUsd)])).toEqual([
      ["a", 0.75],
      ["b", 0.25],
    ]);
  });

  test("energy that was not measured is missing, not zero", () => {
    const report = reportOf([aMinute({ power: null }), aMinute({ seq: 2, power: energy(900, 15_000) })]);
    expect(report.missingEnergyMinutes).toBeCloseTo(1.75, 9);
    expect(report.energyKwh).toBeCloseTo(900 / 3.6e6, 12);
  });

  test.each([
    ["serving", "active", 5],
    ["serving", "standby", 5],
    ["idle", "active", 0],
    ["standby", "standby", 0],
    ["standby", "draining", 0],
  ] as const)("a minute counts as %s: role %s with %p requests", (use, role, requests) => {
    const report = reportOf([aMinute({ role, requests })]);
    expect(report.byUse[use].totalUsd).toBe(report.totalUsd);
  });

  test("without minutes everything is zero and says why there is no comparison", () => {
    const report = reportOf([]);
    expect(report).toMatchObject({ totalUsd: 0, requests: 0, usdPer1000Requests: null, agents: [], allOn: null });
    expect(report.allOnUnknownReason).toMatch(/no minute/);
  });
});

describe("all on in the top mode", () => {
  // 350 qps, 100 W busy, 20 W idle, twice.
  const births = { "thor-1": aBirth(), "thor-2": aBirth({ agentId: "thor-2" }) };
  /** Energy of a minute as the profile has it. */
  const asModelled = (requests: number) => energy(60 * (20 + 80 * Math.min(1, requests / 60 / 350)));
  const both = (requests: number) => [
    aMinute({ requests, power: asModelled(requests) }),
    aMinute({ agentId: "thor-2", requests: 0, role: "standby", power: energy(300) }),
  ];

  test.each([
    ["idle", 0, 20],
    ["half busy", 350 * 60, 60],
    ["full", 700 * 60, 100],
    ["beyond what they carry", 9_000_000, 100],
  ])("%s: %p requests per minute at %p W each", (_name, requests, watts) => {
    const { allOn } = reportOf(both(requests), births);
    expect(allOn?.energyKwh).toBeCloseTo((2 * watts * 60) / 3.6e6, 12);
  });

  test("savings are against the same agents and minutes, amortisation the same", () => {
    const report = reportOf(both(0), births);
    expect(report.allOn?.amortisationUsd).toBeCloseTo(report.amortisationUsd, 12);
    expect(report.allOn?.savedEnergyKwh).toBeCloseTo((2400 - 1500) / 3.6e6, 12);
    expect(report.allOn?.savedUsd).toBeCloseTo(((2400 - 1500) / 3.6e6) * 0.15, 12);
  });

  test("a minute that was half measured is compared by its measured half", () => {
    const { allOn } = reportOf([aMinute({ requests: 0, power: energy(600, 30_000) })]);
    expect(allOn?.energyKwh).toBeCloseTo((20 * 30) / 3.6e6, 12);
  });

  test.each([0.25, 1, 3])(
    "a fleet in which nothing was changed saves nothing when it draws %p of its profile",
    (times) => {
      const serving = (agentId: string, requests: number) =>
        aMinute({ agentId, requests, power: energy(times * 60 * (20 + (80 * requests) / 60 / 350)) });
      const { allOn } = reportOf([serving("thor-1", 6000), serving("thor-2", 300)], births);
      expect(allOn?.savedEnergyKwh).toBeCloseTo(0, 6);
    },
  );

  test("an agent without a minute of service is compared by the scale of the others", () => {
    const minutes = [
      aMinute({ requests: 0, power: energy(2400) }),
      aMinute({ agentId: "thor-2", requests: 0, role: "standby", power: energy(60) }),
    ];
    expect((reportOf(minutes, births).allOn?.energyKwh ?? 0) * 3.6e6).toBeCloseTo(2 * 2400, 6);
  });

  test("a board without a profile: null, and it is named", () => {
    const report = reportOf(both(10), { "thor-1": aBirth() });
    expect(report.allOn).toBeNull();
    expect(report.allOnUnknownReason).toContain("thor-2");
  });

  test("an agent without a model is on as it is: boards are compared all the same", () => {
    const { board, ...rest } = aBirth();
    const entry = { ...rest, board: { ...board, kind: "none" as const, powerModes: [] }, models: [] };
    const report = reportOf([aMinute({ requests: 10 }), aMinute({ agentId: "entry", power: null })], {
      "thor-1": aBirth(),
      entry,
    });
    expect(report.allOnUnknownReason).toBeNull();
    expect(report.allOn?.amortisationUsd).toBeCloseTo(report.amortisationUsd, 12);
  });
});

test("every minute is compared, the last one too; utilisation is weighted by the time observed", () => {
  const births = { "thor-1": aBirth() };
  const full = aMinute({ seq: 1, minuteStartMs: 0, requests: 350 * 60, power: energy(6000) });
  const idleHalf = aMinute({
    seq: 2,
    minuteStartMs: 60_000,
    requests: 0,
    observedMs: 30_000,
    power: energy(600, 30_000),
  });
  const { allOn } = reportOf([full, idleHalf], births);
  expect(allOn?.meanUtilization).toBeCloseTo(2 / 3, 12);
  expect(allOn?.energyKwh).toBeCloseTo((100 * 60 + 20 * 30) / 3.6e6, 12);
  expect(reportOf([aMinute({ observedMs: 0, power: null, requests: 0 })], births).allOn?.meanUtilization).toBe(0);
});

test("the whole report of two agents, two models and two tenants in a minute", () => {
  const births = { a: aBirth({ agentId: "a" }), b: aBirth({ agentId: "b" }) };
  const tenants = [
    { tenant: "red", requests: 10, texts: 10, tokens: 70, computeMs: 250 },
    { tenant: "blue", requests: 30, texts: 30, tokens: 30, computeMs: 750 },
  ];
  const power = energy(3600);
  const minutes = [
    // Within one minute, b comes first and began half a minute later.
    {
      ...aMinute({ agentId: "b", power }),
      traffic: aTraffic({ minuteStartMs: 90_000, models: [{ ...aModel("y", 40, 1000), tenants }] }),
    },
    { ...aMinute({ agentId: "a", power }), traffic: aTraffic({ minuteStartMs: 60_000, models: [aModel("x", 60)] }) },
  ];
  const minuteCost = { energyKwh: 0.001, energyUsd: 0.00015, amortisationUsd: 0.002, offersUsd: 0, totalUsd: 0.00215 };
  const none = { energyKwh: 0, energyUsd: 0, amortisationUsd: 0, offersUsd: 0, totalUsd: 0 };
  const row = { observedMinutes: 1, missingEnergyMinutes: 0 };
  const twice = { energyKwh: 0.002, energyUsd: 0.0003, amortisationUsd: 0.004, offersUsd: 0, totalUsd: 0.0043 };
  // 100 texts per minute on 2 × 350 qps.
  const utilization = 100 / 60 / 700;
  // Each drew more than its profile says, in proportion to what it did.
  const modelledJ = (texts: number) => (20 + (80 * texts) / 60 / 350) * 60;
  const scale = 3600 / modelledJ(60) + 3600 / modelledJ(40);
  const allOnKwh = (scale * (20 + 80 * utilization) * 60) / 3.6e6;
  /** Money has twelve decimals. */
  const usd = (amount: number) => Math.round(amount * 1e12) / 1e12;
  const share = (part: number, requests: number, tokens: number, computeMs: number) => ({
    totalUsd: 0.00215 * part,
    usedUsd: usd((0.00215 * computeMs) / 60_000),
    idleUsd: usd(0.00215 * part - (0.00215 * computeMs) / 60_000),
    offersUsd: 0,
    energyKwh: 0.001 * part,
    activeKwh: 0,
    requests,
    tokens,
    usdPer1000Requests: (0.00215 * part * 1000) / requests,
  });
  const expected = {
    window: { startMs: 0, endMs: 3_600_000 },
    currency: "USD",
    ...twice,
    requests: 100,
    usdPer1000Requests: 0.043,
    observedMinutes: 2,
    missingEnergyMinutes: 0,
    routes: [],
    byUse: { serving: twice, idle: none, standby: none },
    agents: [
      { agentId: "a", ...minuteCost, requests: 60, usdPer1000Requests: 2.15 / 60, ...row },
      { agentId: "b", ...minuteCost, requests: 40, usdPer1000Requests: 2.15 / 40, ...row },
    ],
    models: [
      { model: "x", ...share(1, 60, 600, 60) },
      { model: "y", ...share(1, 40, 100, 1000) },
    ],
    tenants: [
      { tenant: "blue", ...share(0.75, 30, 30, 750) },
      { tenant: "default", ...share(1, 60, 600, 60) },
      { tenant: "red", ...share(0.25, 10, 70, 250) },
    ],
    allOn: {
      energyKwh: allOnKwh,
      energyUsd: allOnKwh * 0.15,
      amortisationUsd: 0.004,
      offersUsd: 0,
      totalUsd: allOnKwh * 0.15 + 0.004,
      savedUsd: usd(usd(allOnKwh * 0.15) - 0.0003),
      savedEnergyKwh: allOnKwh - 0.002,
      meanUtilization: utilization,
    },
    allOnUnknownReason: null,
    prices: fleetPrices,
    priceGaps: [],
  };
  expect(rounded(reportOf(minutes, births))).toEqual(rounded(expected));
});

/** Without the last digits of sums in another order. */
function rounded(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part) => (typeof part === "number" ? Number(part.toPrecision(9)) : part)),
  );
}

test("more energy than the time observed is no missing time, in the agent's row and in the total", () => {
  const report = reportOf([aMinute({ observedMs: 30_000, power: energy(900, 60_000) })]);
  expect([report.missingEnergyMinutes, report.agents[0]?.missingEnergyMinutes]).toEqual([0, 0]);
});

test("agents are compared at their own tariffs; those without a profile are named in order", () => {
  const dear = aBirth({ prices: { tariffUsdPerKwh: 0.3, amortisationUsdPerHour: null } });
  const { allOn } = reportOf([aMinute({ requests: 0, power: energy(1200) })], { "thor-1": dear });
  expect(allOn?.energyUsd).toBeCloseTo(((20 * 60) / 3.6e6) * 0.3, 12);
  const unknown = reportOf(
    ["c", "a", "b"].map((agentId) => aMinute({ agentId })),
    { a: aBirth() },
  );
  expect(unknown.allOnUnknownReason).toBe("capacity and watts of the most capable mode are unknown of b, c");
});

test("a window is told in whole milliseconds", () => {
  const report = new CostAllocation(new Map(), fleetPrices).report({ startMs: 0.6, endMs: 9.6 });
  expect(report.window).toEqual({ startMs: 1, endMs: 10 });
});
