import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { configuredPrices } from "#controller/cost/prices/price-source.ts";
import { weightedMs } from "#controller/cost/savings/advise-services.ts";
import { decideSavings } from "#controller/cost/savings/decide-savings.ts";
import { explainSaving } from "#controller/cost/savings/explain-savings.ts";
import { findSavings } from "#controller/cost/savings/find-savings.ts";
import { loadServices } from "#controller/cost/savings/load-services.ts";
import { SavingsInput } from "#controller/cost/savings/savings-input.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { anAgent } from "../../../fakes/builders.ts";
import { aCell, anHour, historyOf } from "../history-of.ts";

const fixtures = join(import.meta.dir, "../../../fixtures");
const services = await loadServices(
  { services: join(fixtures, "reference-services.yaml"), catalogue: join(fixtures, "reference-prices.yaml") },
  Date.UTC(2026, 10, 30),
);
const of = (given: object) => decideSavings(parseConfig(SavingsInput, given, "test"));
const byKind = (given: object, kind: string) => of(given).filter((saving) => saving.kind === kind);

const device = {
  ...{
    agentId: "thor-1",
    mode: "MAXN",
    meanQps: 20,
    peakQps: 60,
    hoursOnPerDay: 24,
    idleHoursPerDay: 6,
    sleepWatts: 1,
  },
  modes: [
    { name: "MAXN", capacityQps: 350, idleWatts: 20, busyWatts: 100 },
    { name: "30W", capacityQps: 100, idleWatts: 8, busyWatts: 30 },
    { name: "15W", capacityQps: 40, idleWatts: 5, busyWatts: 15 },
  ],
  ...{ canSleep: true, usdPerKwh: 0.15 },
};

describe("advice on devices", () => {
  test("to sleep in hours without a request", () => {
    const [sleep] = byKind({ devices: [device] }, "sleep");
    expect(sleep).toMatchObject({ target: "thor-1", risk: "low", effort: "low" });
    expect(sleep?.yearlyUsd).toBeCloseTo((6 * 365 * 19 * 0.15) / 1000, 9);
    expect(sleep?.evidence).toBe("6 h a day without a request, at 20 W instead of 1 W, 0.15 $ a kWh");
    expect(byKind({ devices: [{ ...device, idleHoursPerDay: 0.5 }] }, "sleep")).toEqual([]);
    expect(byKind({ devices: [{ ...device, canSleep: false }] }, "sleep")[0]).toMatchObject({ effort: "medium" });
  });

  test("to hold the cheapest mode that carries the peak with headroom", () => {
    const [mode] = byKind({ devices: [device] }, "power-mode");
    expect(mode?.action).toBe("cap thor-1 at 30W instead of MAXN");
    expect(mode?.yearlyUsd).toBeCloseTo((24 * 365 * (20 + (80 * 20) / 350 - (8 + 22 * 0.2)) * 0.15) / 1000, 9);
    expect(byKind({ devices: [{ ...device, peakQps: 90 }] }, "power-mode")).toEqual([]);
    expect(byKind({ devices: [{ ...device, mode: "30W" }] }, "power-mode")).toEqual([]);
    expect(byKind({ devices: [{ ...device, mode: "gone" }] }, "power-mode")).toEqual([]);
  });

  test("to remove models without a request in 30 days, priced where storage is", () => {
    const model = { model: "e5", agents: 4, unusedDays: 30, gb: 2 };
    expect(byKind({ models: [model] }, "unused-model")[0]).toMatchObject({ target: "e5", yearlyUsd: 0 });
    const priced = { models: [model], services: { storage: services.storage } };
    expect(byKind(priced, "unused-model")[0]?.yearlyUsd).toBeCloseTo(12 * 8 * 0.023, 9);
    expect(byKind({ models: [{ ...model, unusedDays: 29 }] }, "unused-model")).toEqual([]);
  });
});

describe("advice on services outside", () => {
  test("the CDN's class by weighted latency: 0.72 ms in the reference mix", () => {
    const class100 = services.cdn?.classes.find(({ name }) => name === "100");
    expect(weightedMs(class100?.addedMs ?? [])).toBeCloseTo(0.72, 9);
    const [cdn] = byKind({ services }, "cdn-class");
    expect(cdn).toMatchObject({ action: "use price class 100 instead of all", risk: "low" });
    expect(cdn?.evidence).toContain("users wait 0.72 ms longer on average, at most 20 ms");
    expect(cdn?.yearlyUsd).toBeCloseTo(12 * 7058.8 * 0.025, 6);
    const strict = { services: { cdn: { ...services.cdn, maxAddedMs: 0.5 } } };
    expect(byKind(strict, "cdn-class")[0]?.action).toContain("price class 200");
  });

  test("storage by age", () => {
    expect(byKind({ services }, "storage-class").map(({ action }) => action)).toEqual([
      "move old-models to storage class archive",
      "move last-quarter to storage class cold",
    ]);
  });

  test.each<[string, string, number]>([
    ["provisioned", "without them 0.060 % of requests would wait 400 ms", 12 * 70],
    [
      "dns-interval",
      "3 checks at 30 s see a fault within the 90 s",
      (12 * 20 * 730 * 3600 * (1 / 10 - 1 / 30) * 0.5) / 1e6,
    ],
    ["retention", "nothing older than 30 days was read", 12 * 2 * 60 * 0.03],
    ["trace-sampling", "1000000 are enough", (12 * 9e6 * 5) / 1e6],
  ])("%s", (kind, evidence, yearlyUsd) => {
    const [saving] = byKind({ services }, kind);
    expect(saving?.evidence).toContain(evidence);
    expect(saving?.yearlyUsd).toBeCloseTo(yearlyUsd, 6);
  });

  test("no warm functions are given up where too many requests would meet a cold start", () => {
    const functions = { ...services.functions, coldStartsPerMonth: 30_000 };
    expect(byKind({ services: { functions } }, "provisioned")).toEqual([]);
  });

  test("instances by the catalogue, a commitment with its break-even", () => {
    const [spot] = byKind({ services }, "cheaper-place");
    expect(spot).toMatchObject({ target: "bursts", risk: "high" });
    expect(spot?.yearlyUsd).toBeCloseTo(12 * 2 * 700 * (0.136 - 0.068), 6);
    const group = services.instances?.[0];
    const reserved = { type: "c7g.2xlarge", region: "us-east-1", option: "reserved-1y", usdPerHour: 0.085 };
    const [committed] = byKind({ services: { instances: [{ ...group, offers: [reserved] }] } }, "committed");
    expect(committed?.evidence).toContain("pays from 63 % use on, they are used 96 %");
    expect(committed?.yearlyUsd).toBeCloseTo(12 * 2 * (700 * 0.136 - 730 * 0.085), 6);
    const idle = { services: { instances: [{ ...group, hoursPerMonth: 300, offers: [reserved] }] } };
    expect(byKind(idle, "committed")).toEqual([]);
    const far = { services: { instances: [{ ...group, offers: [{ ...reserved, addedMs: 21 }] }] } };
    expect(of(far)).toEqual([]);
  });

  test("the largest comes first, and each explains itself", () => {
    const amounts = of({ devices: [device], services }).map(({ yearlyUsd }) => yearlyUsd);
    expect(amounts).toEqual(amounts.toSorted((a, b) => b - a));
    const [first] = of({ services });
    expect(explainSaving(first!)).toMatch(
      /^use price class 100 instead of all: 2117\.64 \$ a year \(.*; risk low, effort low\)$/,
    );
  });
});

test("the fleet's own evidence: a week of the devices' hours, a month of the models'", async () => {
  const nowMs = Date.UTC(2026, 10, 30);
  const hours = Array.from({ length: 31 * 24 }, (_, index) => {
    const isNight = index % 24 < 8;
    const work = aCell(1, { computeMs: isNight ? 0 : hourMs / 10, requests: isNight ? 0 : 100 });
    return anHour(
      nowMs - 31 * dayMs + index * hourMs,
      isNight ? [aCell(1, { tenant: null, model: null, requests: 0 })] : [work],
    );
  });
  const models = [
    { id: "mini", dimension: 384, revision: "1" },
    { id: "e5", dimension: 384, revision: "1" },
  ];
  const agent = anAgent({ nowMs, birth: { models }, reported: { powerMode: "MAXN" } });
  const evidence = {
    ...{
      agents: [agent],
      prices: configuredPrices({ tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.1 }),
      services: {},
      nowMs,
    },
  };
  const found = await findSavings({ ...evidence, history: historyOf(hours) });
  expect(found.map(({ kind, target }) => `${kind} ${target}`).sort()).toEqual([
    ...["power-mode thor-1", "sleep thor-1", "unused-model e5"],
  ]);
  expect(found.find(({ kind }) => kind === "sleep")?.evidence).toContain("8 h a day without a request");
  // Records of less than a day, or a month, are no evidence.
  expect(await findSavings({ ...evidence, history: historyOf(hours.slice(-20)) })).toEqual([]);
});
