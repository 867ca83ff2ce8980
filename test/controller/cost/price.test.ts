import { describe, expect, test } from "bun:test";
import { computeShares } from "#controller/cost/compute-shares.ts";
import { allOnUtilization, modeEnergyKwh, modeOf } from "#controller/cost/price-all-on.ts";
import { priceMinute, pricesOf } from "#controller/cost/price-minute.ts";
import type { AgentRole } from "#protocol/messages.ts";
import { aBirth, aModel, aPower, aTraffic } from "../../fakes/builders.ts";

const fleet = { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.6 };

describe("prices", () => {
  test.each([
    ["no birth", null, fleet],
    ["none of its own", {}, fleet],
    ["its own tariff", { tariffUsdPerKwh: 0 }, { ...fleet, tariffUsdPerKwh: 0 }],
    ["its own amortisation", { amortisationUsdPerHour: 0 }, { ...fleet, amortisationUsdPerHour: 0 }],
  ])("with %s", (_name, prices, expected) => {
    const none = { tariffUsdPerKwh: null, amortisationUsdPerHour: null };
    expect(pricesOf(prices === null ? null : aBirth({ prices: { ...none, ...prices } }), fleet)).toEqual(expected);
  });
});

describe("a minute", () => {
  test.each<[AgentRole, number, string]>([
    ["active", 1, "serving"],
    ["active", 0, "idle"],
    ["standby", 1, "serving"],
    ["standby", 0, "standby"],
    ["draining", 0, "standby"],
  ])("as %s with %p requests is %s", (role, requests, use) => {
    const traffic = aTraffic({ models: [aModel("a", requests)] });
    expect(priceMinute({ role, traffic, power: null }, fleet).use).toBe(use as never);
  });

  test("costs its energy and the time the agent ran", () => {
    const traffic = aTraffic({ observedMs: 30_000, models: [{ ...aModel("a", 2), texts: 20 }, aModel("b", 3)] });
    const power = aPower({ energyJ: 3_600_000, measuredMs: 20_000 });
    expect(priceMinute({ role: "active", traffic, power }, fleet)).toEqual({
      ...{ use: "serving", energyKwh: 1, energyUsd: 0.2, amortisationUsd: 0.005 },
      ...{ offersUsd: 0, observedMs: 30_000, measuredMs: 20_000, requests: 5, texts: 23 },
    });
  });

  test("that only computed for other agents is serving, and its texts are its work; what it sent elsewhere is none of its own", () => {
    const forPeers = { ...aModel("a", 0, 80), peerTexts: 40 };
    expect(
      priceMinute({ role: "active", traffic: aTraffic({ models: [forPeers] }), power: null }, fleet),
    ).toMatchObject({ use: "serving", requests: 0, texts: 40 });
    const sent = { ...aModel("a", 10, 0), sentTexts: 10, offersUsd: 0.5 };
    expect(priceMinute({ role: "active", traffic: aTraffic({ models: [sent] }), power: null }, fleet)).toMatchObject({
      ...{ use: "serving", requests: 10, texts: 0, offersUsd: 0.5 },
    });
  });

  test("without power has no energy, and nothing measured", () => {
    expect(priceMinute({ role: "active", traffic: aTraffic(), power: null }, fleet)).toMatchObject({
      energyKwh: 0,
      measuredMs: 0,
    });
  });
});

describe("the top mode", () => {
  const withMode = (given: object) => {
    const { board } = aBirth();
    return aBirth({ board: { ...board, powerModes: [{ ...board.powerModes[0]!, ...given }] } });
  };
  test.each([
    ["known", {}, { name: "MAXN", capacityQps: 350, busyWatts: 100, idleWatts: 20 }],
    ["of the least capacity", { capacityQps: 0.5 }, { name: "MAXN", capacityQps: 0.5, busyWatts: 100, idleWatts: 20 }],
    ["without capacity", { capacityQps: null }, null],
    ["of no capacity", { capacityQps: 0 }, null],
    ["without busy watts", { busyWatts: null }, null],
    ["without idle watts", { idleWatts: null }, null],
  ])("%s", (_name, given, mode) => {
    expect(modeOf(withMode(given))).toEqual(mode);
  });

  test("is unknown without a birth or modes", () => {
    expect([modeOf(null), modeOf(aBirth({ board: { ...aBirth().board, powerModes: [] } }))]).toEqual([null, null]);
  });

  const mode = { name: "m", capacityQps: 1, busyWatts: 100, idleWatts: 20 };
  test.each([
    [0, [mode], 0],
    [30, [mode], 0.5],
    [120, [mode], 1],
    [60, [mode, mode], 0.5],
    [30, [{ ...mode, capacityQps: 0.5 }], 1],
    [60, [], 0],
    [0, [], 0],
  ])("%p texts per minute on %j: %p of the fleet", (texts, modes, utilization) => {
    expect(allOnUtilization(texts, modes)).toBe(utilization);
  });

  test.each([
    [0, 0.02],
    [0.5, 0.06],
    [1, 0.1],
  ])("at %p of its capacity draws for an hour %p kWh", (utilization, kwh) => {
    expect(modeEnergyKwh(mode, utilization, 3_600_000)).toBeCloseTo(kwh, 12);
  });
});

describe("shares of a minute", () => {
  const share = (model: string, tenant: string, requests: number, shareOf: number, computeMs = 0) => ({
    ...{ model, tenant, requests, tokens: requests * 10, computeMs, share: shareOf, offersUsd: 0 },
  });
  const tenant = (name: string, requests: number, computeMs: number) => ({
    ...{ tenant: name, requests, texts: requests, tokens: requests * 10, computeMs },
  });

  test("are by compute time, of models and tenants", () => {
    const models = [
      { ...aModel("a", 3, 300), tenants: [tenant("x", 1, 100), tenant("y", 2, 200)] },
      aModel("b", 5, 100),
    ];
    expect(computeShares(models)).toEqual([
      share("a", "x", 1, 0.25, 100),
      share("a", "y", 2, 0.5, 200),
      share("b", "default", 5, 0.25, 100),
    ]);
  });

  test("are by requests where no compute time is recorded", () => {
    expect(computeShares([aModel("a", 1, 0), aModel("b", 3, 0)])).toEqual([
      share("a", "default", 1, 0.25),
      share("b", "default", 3, 0.75),
    ]);
  });

  test("half a millisecond of compute time counts before requests", () => {
    expect(computeShares([aModel("a", 1, 0.5), aModel("b", 3, 0)])).toEqual([
      share("a", "default", 1, 1, 0.5),
      share("b", "default", 3, 0),
    ]);
  });

  test("leave out models without requests and compute time", () => {
    expect(computeShares([aModel("a", 0, 0), aModel("b", 0, 0.5), aModel("c", 1, 0)])).toEqual([
      share("b", "default", 0, 1, 0.5),
      share("c", "default", 1, 0),
    ]);
    expect(computeShares([])).toEqual([]);
  });
});
