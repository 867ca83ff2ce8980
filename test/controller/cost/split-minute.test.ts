import { describe, expect, test } from "bun:test";
import { CostAllocation } from "#controller/cost/allocate-cost.ts";
import { moneyToText, sumOf } from "#controller/cost/money/money.ts";
import { priceMinute } from "#controller/cost/price-minute.ts";
import { PowerReportBuilder } from "#controller/cost/report-power.ts";
import { deviceCostOf, splitMinute } from "#controller/cost/split-minute.ts";
import type { MinutePower } from "#protocol/messages.ts";
import { aMinute, aModel, aPower, aTraffic } from "../../fakes/builders.ts";

const prices = { tariffUsdPerKwh: 0.36, amortisationUsdPerHour: 0.6 };

function split(models: ReturnType<typeof aModel>[], power: MinutePower | null, observedMs = 60_000) {
  const minute = { role: "active" as const, traffic: aTraffic({ observedMs, models }), power };
  const cost = priceMinute(minute, prices);
  return { cost, parts: splitMinute(minute, cost, prices.tariffUsdPerKwh) };
}
const textOf = ({ parts }: ReturnType<typeof split>) =>
  parts.map(({ model, used, idle }) => `${model} ${moneyToText(used)} ${moneyToText(idle)}`);

// 3,000 J idle draw and 600 J above it: 0.0003 and 0.00006 US$; a minute of the device is 0.01.
const apart = (models: MinutePower["models"]) =>
  aPower({ energyJ: 3600, idleJ: 3000, activeJ: 600, ...(models && { models }) });

describe("a minute's cost is used or idle", () => {
  test.each<[string, ReturnType<typeof aModel>[], MinutePower | null, string[]]>([
    [
      "energy above idle as attributed, and the time that was computed",
      [aModel("a", 1, 6000), aModel("b", 1, 2000)],
      apart([
        { model: "a", energyJ: 450 },
        { model: "b", energyJ: 150 },
      ]),
      ["a 0.001045 0.006725", "b 0.000348333333 0.002241666667"],
    ],
    [
      "all energy by time where the idle draw is not known",
      [aModel("a", 1, 6000)],
      aPower({ energyJ: 3600 }),
      ["a 0.001036 0.009324"],
    ],
    [
      "more computing than time, on several lanes: nothing is idle but the draw",
      [aModel("a", 1, 240_000)],
      apart([{ model: "a", energyJ: 600 }]),
      ["a 0.01006 0.0003"],
    ],
    [
      "answers from the cache use nothing",
      [aModel("a", 3, 0), aModel("b", 1, 0)],
      apart([]),
      ["a 0 0.00777", "b 0 0.00259"],
    ],
    ["energy that is not measured", [aModel("a", 1, 30_000)], null, ["a 0.005 0.005"]],
    [
      "energy of more than the device drew is cut",
      [aModel("a", 1, 60_000)],
      apart([{ model: "a", energyJ: 9000 }]),
      ["a 0.01036 0"],
    ],
  ])("%s", (_name, models, power, expected) => {
    const minute = split(models, power);
    expect(textOf(minute)).toEqual(expected);
    expect(sumOf(minute.parts.map(({ used, idle }) => used + idle))).toBe(deviceCostOf(minute.cost));
  });

  test("a minute that began late is used by the time observed", () => {
    expect(textOf(split([aModel("a", 1, 6000)], null, 6000))).toEqual(["a 0.001 0"]);
    expect(textOf(split([aModel("a", 1, 6000)], null, 0))).toEqual(["a 0 0"]);
  });

  test("a minute without requests has no parts", () => expect(split([], apart([])).parts).toEqual([]));
});

test("cost and power report agree on each tenant's energy above idle, and the rest is named", () => {
  const tenants = [
    { tenant: "red", requests: 10, texts: 10, tokens: 70, computeMs: 4500 },
    { tenant: "blue", requests: 30, texts: 30, tokens: 30, computeMs: 1500 },
  ];
  const power = apart([
    {
      ...{ model: "a", energyJ: 600 },
      tenants: [
        { tenant: "red", energyJ: 450 },
        { tenant: "blue", energyJ: 150 },
      ],
    },
  ]);
  const minute = aMinute({ power });
  const record = { ...minute, traffic: { ...minute.traffic, models: [{ ...aModel("a", 40, 6000), tenants }] } };
  const cost = new CostAllocation(new Map(), prices);
  const energy = new PowerReportBuilder(new Map(), { ...prices, co2KgPerKwh: 0.4, targetUtilization: 0.8 });
  for (const each of [cost, energy]) each.add(record);
  const window = { startMs: 0, endMs: 60_000 };
  const { byTenant } = energy.report(window).energyByUse;
  const rows = cost.report(window).tenants;
  for (const { tenant, activeKwh } of byTenant) {
    const row = rows.find((each) => each.tenant === tenant);
    expect(row?.activeKwh).toBeCloseTo(activeKwh, 15);
    expect((row?.usedUsd ?? 0) + (row?.idleUsd ?? 0)).toBeCloseTo(row?.totalUsd ?? -1, 12);
  }
  expect(byTenant).toHaveLength(2);
});
