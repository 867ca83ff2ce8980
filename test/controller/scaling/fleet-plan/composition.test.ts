import { expect, test } from "bun:test";
import type { BacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import { createFleetComposer } from "#controller/scaling/backtest/unit-blocks.ts";
import { seasonalFloorQps } from "#controller/scaling/fleet-plan/seasonal-floor.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

/** Two makes with up to three modes, an offer, up to four units of each. */
function randomFleet(random: () => number): BacktestFleet {
  const between = (from: number, to: number) => from + random() * (to - from);
  const upTo = (max: number) => 1 + Math.floor(random() * max);
  return {
    name: "random",
    peakQps: null,
    targetUtilization: between(0.5, 1),
    spareDevices: random() < 0.3 ? 1 : 0,
    slo: { p95Ms: 25 },
    tariffUsdPerKwh: 0.15,
    shortfallUsdPerRequest: 0.000002,
    devices: [0, 1].map((make) => ({
      class: `make-${make}`,
      count: upTo(4),
      modes: Array.from({ length: upTo(3) }, (_, mode) => {
        const idleWatts = between(5, 25);
        const busyWatts = idleWatts + between(5, 100);
        return { name: `${mode}`, capacityQps: between(50, 400), p95Ms: between(10, 28), busyWatts, idleWatts };
      }),
      standbyWatts: between(1, 5),
      startupS: 60,
      minActiveS: 0,
      minStandbyS: 0,
      modeSwitchS: 1,
      startupCostUsd: 0,
      usdPerHourActive: 0,
    })),
    cloud: [
      {
        id: "vm",
        kind: "spot",
        capacityQps: 250,
        p95Ms: 14,
        usdPerHour: between(0.01, 0.1),
        usdPerRequest: 0,
        startupS: 60,
        max: 2,
      },
    ],
  };
}

/** The cheapest of all compositions there are. */
function bruteForce(fleet: BacktestFleet, expectedQps: number, coverQps: number): number {
  const composer = createFleetComposer(fleet, 0.02);
  const sizes = [...fleet.devices.map(({ count }) => count), ...fleet.cloud.map(({ max }) => max)];
  const units = new Int32Array(composer.blocks.length);
  let best = Number.POSITIVE_INFINITY;
  const place = (block: number) => {
    if (block === units.length) {
      best = Math.min(best, composer.usdOf(units, expectedQps, coverQps));
      return;
    }
    const { group } = composer.blocks[block]!;
    for (let count = 0; composer.countOf(units, group) <= (sizes[group] as number); count += 1) {
      units[block] = count;
      if (composer.countOf(units, group) > (sizes[group] as number)) break;
      place(block + 1);
    }
    units[block] = 0;
  };
  place(0);
  return best;
}

test("200 random small fleets: all but a few as cheap as the cheapest composition there is, none much dearer", () => {
  let dearer = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seededRandom(seed);
    const fleet = randomFleet(random);
    const expectedQps = random() * 1500;
    const coverQps = expectedQps * (1 + random());
    const composer = createFleetComposer(fleet, 0.02);
    const sizes = [...fleet.devices.map(({ count }) => count), ...fleet.cloud.map(({ max }) => max)];
    const found = composer.cheapest({ expectedQps, coverQps, minUnits: sizes.map(() => 0), maxUnits: sizes }, null);
    const gap = composer.usdOf(found, expectedQps, coverQps) / bruteForce(fleet, expectedQps, coverQps) - 1;
    expect(gap).toBeWithin(-1e-9, 0.05);
    if (gap > 0.001) dearer += 1;
  }
  expect(dearer).toBeLessThanOrEqual(20);
});

test("of what may come, the largest devices may fail, but nothing that is rented", () => {
  const [device] = randomFleet(() => 0.5).devices;
  const fleet: BacktestFleet = {
    ...{ ...randomFleet(() => 0.5), spareDevices: 1 },
    devices: [{ ...device!, modes: [{ name: "0", capacityQps: 100, p95Ms: 10, busyWatts: 20, idleWatts: 10 }] }],
  };
  const composer = createFleetComposer(fleet, 0.02);
  const units = Int32Array.from(composer.blocks, () => 1);
  // The offer carries 250: with it and the device gone there would be less than that.
  expect(composer.usdOf(units, 0, 125)).toBe(composer.usdOf(units, 0, 0));
});

test("bounds are kept", () => {
  const fleet = randomFleet(seededRandom(1));
  const composer = createFleetComposer(fleet, 0.02);
  const need = { expectedQps: 0, coverQps: 0, minUnits: [1, 0, 0], maxUnits: [1, 1, 0] };
  const none = composer.cheapest(need, null);
  expect(need.minUnits.map((_, group) => composer.countOf(none, group))).toEqual([1, 0, 0]);
  const all = composer.cheapest({ ...need, expectedQps: 1e6, coverQps: 1e6 }, null);
  expect(need.maxUnits.map((_, group) => composer.countOf(all, group))).toEqual([1, 1, 0]);
});

test("what the same time of day usually takes", () => {
  const day = 1440;
  const totalsOf = (rates: readonly number[]) => {
    const totals = [0];
    for (const rate of rates) totals.push((totals.at(-1) as number) + rate);
    return totals;
  };
  expect(seasonalFloorQps(totalsOf(new Array(100).fill(5)), 100)).toBeNull();
  const second = totalsOf(Array.from({ length: day }, (_, minute) => (minute < 720 ? 10 : 30)));
  expect(seasonalFloorQps(second, day + 300)).toBeCloseTo(10, 9);
  expect(seasonalFloorQps(second, day + 720)).toBeCloseTo(20, 9);
  const week: number[] = [0];
  for (let minute = 0; minute < 7 * day; minute += 1) week.push((week.at(-1) as number) + (minute < day ? 4 : 9));
  expect(seasonalFloorQps(week, 7 * day + 100)).toBeCloseTo(4, 9);
});
