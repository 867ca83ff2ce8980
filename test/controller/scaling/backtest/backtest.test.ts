import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { BacktestFleet, checkBacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import {
  type BacktestPolicyName,
  backtestPolicies,
  countReversals,
  type PolicyResult,
  runBacktest,
} from "#controller/scaling/backtest/run-backtest.ts";
import { initialState, off, p95At, simulateMinute } from "#controller/scaling/backtest/simulate-fleet.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { readTraffic } from "#tools/reports/backtest/read-traffic.ts";
import { offer } from "../fleet-plan/fleet-plan-cases.ts";

const reference = Value.Parse(
  BacktestFleet,
  Bun.YAML.parse(await Bun.file(join(import.meta.dir, "../../../fixtures/reference-fleet.yaml")).text()),
);
const calendar = createCalendar("UTC", []);
const { running: _running, ...vm } = offer("vm", { startupS: 90 });
const small: BacktestFleet = {
  ...reference,
  devices: reference.devices.map((make) => ({
    ...make,
    count: 2,
    startupS: 90,
    modeSwitchS: 30,
    startupCostUsd: 0.01,
  })),
  cloud: [vm],
};
const play = (
  rates: readonly number[],
  policies: readonly BacktestPolicyName[],
  fleet: BacktestFleet = reference as BacktestFleet,
) =>
  runBacktest(
    fleet,
    { startMs: 0, rates, calendar },
    policies.map((policy) => ({ label: policy, policy, terms: {} })),
  );
const one = (results: PolicyResult[]) => results[0] as PolicyResult;

describe("one minute", () => {
  const minute = (modes: number[], units: number[], qps: number, state = initialState(small)) =>
    simulateMinute(small, state, { modes, units }, qps, 0);

  test("electricity of who serves and who stands by", () => {
    const outcome = minute([0, off], [0], 210);
    // 24 W and half of the 106 W to full load, 5 W on standby.
    expect(outcome.energyKwh).toBeCloseTo((24 + 53 + 5) / 60_000, 12);
    expect(outcome.costUsd).toBeCloseTo(((24 + 53 + 5) / 60_000) * 0.15, 12);
    expect(outcome).toMatchObject({
      capacityQps: 420,
      servedQps: 210,
      lostQps: 0,
      p95Ms: 11,
      sloKept: true,
      unitsOn: 1,
    });
  });

  test("who starts serves when the start is done: half of the second minute", () => {
    const state = initialState(small);
    minute([0, off], [0], 0, state);
    expect(minute([0, 0], [0], 0, state)).toMatchObject({ activations: 1, capacityQps: 420 });
    expect(minute([0, 0], [0], 0, state).capacityQps).toBe(630);
    expect(minute([0, 0], [0], 0, state).capacityQps).toBe(840);
  });

  test("cloud units likewise; given back, they are gone at once", () => {
    const state = initialState(small);
    const capacities = [2, 2, 2, 1].map((units) => minute([off, off], [units], 0, state).capacityQps);
    expect(capacities).toEqual([0, 300, 600, 300]);
    expect(minute([off, off], [99], 0, state).activations).toBe(3);
  });

  test("a switch of the mode costs half of the minute", () => {
    expect(minute([3, off], [0], 0)).toMatchObject({ modeSwitches: 1, capacityQps: 110 });
  });

  test("more than there is is lost, and the minute is not kept", () => {
    expect(minute([0, off], [0], 500)).toMatchObject({ servedQps: 420, lostQps: 80, sloKept: false });
    expect(minute([0, off], [0], 410)).toMatchObject({ lostQps: 0, sloKept: false });
  });

  test.each([
    [0.5, 10],
    [0.8, 10],
    [0.9, 20],
    [1, Number.POSITIVE_INFINITY],
  ])("p95 at %p", (utilization, expected) => {
    expect(p95At(10, 0.8, utilization)).toBeCloseTo(expected, 9);
  });
});

/** A day's pattern with noise, in the fleet's size. */
function dailyRates(minutes: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: minutes }, (_, minute) => {
    const day = 700 - 500 * Math.cos((2 * Math.PI * minute) / 1440);
    return day * (0.92 + 0.16 * random());
  });
}

describe("policies", () => {
  const rates = dailyRates(900, 1);
  const results = play(rates, backtestPolicies);
  const of = (policy: BacktestPolicyName) => results.find((result) => result.policy === policy) as PolicyResult;

  test("all of them report every minute", () => {
    expect(results.map(({ policy }) => policy)).toEqual([...backtestPolicies]);
    for (const { minutes, costUsd, utilization } of results) {
      expect(minutes).toHaveLength(900);
      expect(costUsd).toBeGreaterThan(0);
      expect(utilization).toBeWithin(0.05, 1);
    }
  });

  test("what each is known for", () => {
    expect(of("static-all")).toMatchObject({ sloMinutes: 0, activations: 0, modeSwitches: 0, lostRequests: 0 });
    expect(of("static-peak").costUsd).toBeLessThan(of("static-all").costUsd);
    expect(of("oracle")).toMatchObject({ lostRequests: 0 });
    expect(of("fleet-plan").costUsd).toBeLessThan(of("oracle").costUsd * 1.15);
    expect(of("fleet-plan").costUsd).toBeLessThan(of("static-all").costUsd);
    expect(of("fleet-plan").sloMinutes).toBeLessThanOrEqual(of("hpa").sloMinutes);
    expect(of("keda-cron").minutes.length).toBe(900);
  });

  test("nobody but the oracle knows what comes: another future does not change what was", () => {
    const other = [...rates.slice(0, 600), ...rates.slice(600).map((rate) => rate * 3)];
    for (const policy of ["hpa", "keda-cron", "threshold", "predictive", "fleet-plan"] as const) {
      const [before, after] = [one(play(rates, [policy])), one(play(other, [policy]))];
      expect(after.minutes.slice(0, 600)).toEqual(before.minutes.slice(0, 600));
    }
  });

  test("makes and offers that are too slow, or that there are none of, are left alone", () => {
    const [thor] = reference.devices as [(typeof reference.devices)[number]];
    const tooSlow = thor.modes.map((mode) => ({ ...mode, p95Ms: 30 }));
    const fleet: BacktestFleet = {
      ...reference,
      devices: [thor, { ...thor, class: "slow", modes: tooSlow, count: 2 }, { ...thor, class: "none", count: 0 }],
      cloud: reference.cloud.map((each) => ({ ...each, p95Ms: 99 })),
    };
    const { minutes } = one(play(rates.slice(0, 120), ["fleet-plan"], fleet));
    expect(minutes.at(-1)?.unitsOn).toBeLessThan(8);
    expect(minutes.slice(20).every(({ sloKept }) => sloKept)).toBe(true);
  });

  test("the same record gives the same figures", () => {
    expect(one(play(rates.slice(0, 300), ["fleet-plan"]))).toEqual(one(play(rates.slice(0, 300), ["fleet-plan"])));
  });

  describe("a spike of ten times within a minute: lost no longer than a start takes, and no flapping", () => {
    const shapes: [string, (minute: number) => number, number[]][] = [
      ["for half an hour", (minute) => (minute < 30 ? 10 : 1), [0]],
      ["for good", () => 10, [0]],
      ["for five minutes", (minute) => (minute < 5 ? 10 : 1), [0]],
      ["for a minute", (minute) => (minute < 1 ? 10 : 1), [0]],
      ["that fades away", (minute) => 1 + 9 * Math.exp(-minute / 20), [0]],
      ["again and again", (minute) => (minute < 60 && minute % 20 < 10 ? 10 : 1), [0, 20, 40]],
      ["once more soon", (minute) => (minute < 20 || (minute >= 40 && minute < 60) ? 10 : 1), [0, 40]],
    ];
    const rows = shapes.flatMap(([name, shape, begins]) =>
      [
        { baseQps: 30, noise: 0, at: 40 },
        { baseQps: 200, noise: 0, at: 200 },
        { baseQps: 90, noise: 0.1, at: 300 },
        { baseQps: 180, noise: 0.1, at: 400 },
      ].map((situation) => ({ name, shape, begins, ...situation })),
    );
    test.each(rows)("$name, from $baseQps a second with $noise noise, at minute $at", (row) => {
      const random = seededRandom(7);
      const rates = Array.from({ length: row.at + 120 }, (_, minute) => {
        const level = minute < row.at ? 1 : row.shape(minute - row.at);
        return row.baseQps * level * (1 + row.noise * (2 * random() - 1));
      });
      const { minutes } = one(play(rates, ["fleet-plan"]));
      // Seen after a minute, and a minute to start; boards that went to standby a moment ago stay there, and a cloud unit takes two.
      const late = minutes.flatMap(({ lostQps }, minute) =>
        lostQps > 1e-9 &&
        !row.begins.some((begin, nth) => minute >= row.at + begin && minute < row.at + begin + (nth === 0 ? 2 : 3))
          ? [minute - row.at]
          : [],
      );
      expect(late).toEqual([]);
      const unitsOn = minutes.map((minute) => minute.unitsOn);
      for (let from = row.at - 20; from < row.at + 100; from += 1) {
        expect(countReversals(unitsOn.slice(from, from + 15))).toBeLessThanOrEqual(1);
      }
    });
  });
});

test("three days of real traffic: the plan is near the oracle, cheaper than HPA and KEDA, and keeps the SLO", async () => {
  const path = join(import.meta.dir, "../../../../models/traffic-lstm/nasa_http_jul95_1min.csv");
  const { startMs, rates } = await readTraffic(path, reference.peakQps, 3);
  const choices = (["hpa", "keda-cron", "fleet-plan", "oracle"] as const).map((policy) => ({
    label: policy,
    policy,
    terms: {},
  }));
  const [hpa, keda, plan, oracle] = runBacktest(reference as BacktestFleet, { startMs, rates, calendar }, choices) as [
    PolicyResult,
    PolicyResult,
    PolicyResult,
    PolicyResult,
  ];
  expect(plan.costUsd).toBeLessThan(1.1 * oracle.costUsd);
  expect(plan.costUsd).toBeLessThan(0.9 * hpa.costUsd);
  expect(plan.costUsd).toBeLessThan(keda.costUsd);
  expect(plan.sloMinutesPercent).toBeLessThanOrEqual(0.1);
  expect(plan.lostUsd).toBeCloseTo(plan.lostRequests * reference.shortfallUsdPerRequest, 9);
});

test.each([
  ["steady", [2, 2, 2], 0],
  ["up and up", [1, 2, 3], 0],
  ["up and down at once", [1, 2, 1], 1],
  ["up, and down after a quarter of an hour", [1, ...Array<number>(16).fill(2), 1], 0],
  ["up, down, up", [1, 2, 1, 2], 2],
])("reversals: %s", (_name, units, expected) => {
  expect(countReversals(units)).toBe(expected);
});

describe("the fleet's file", () => {
  test("the reference fleet is valid", () => {
    expect(checkBacktestFleet(reference)).toEqual([]);
  });

  test("all mistakes at once, with paths", () => {
    const make = reference.devices[0]!;
    const broken = {
      ...reference,
      devices: [
        { ...make, count: 0 },
        { ...make, count: 0 },
      ],
      cloud: [vm, vm],
    };
    expect(checkBacktestFleet(broken)).toEqual([
      'devices.1.class: expected a class used once, got "thor" again',
      'cloud.1.id: expected an id used once, got "vm" again',
      "devices: expected at least one device, got none",
    ]);
  });
});
