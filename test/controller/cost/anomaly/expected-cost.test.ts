import { describe, expect, test } from "bun:test";
import { decideCostAnomaly } from "#controller/cost/anomaly/decide-cost-anomaly.ts";
import { type DayOfCost, expectCost } from "#controller/cost/anomaly/expected-cost.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";

const terms = { threshold: 3.5, minUsd: 0.1 };
/** Day of these requests by hour, of which each costs what `costOf` says. */
function dayOf(requests: readonly number[], costOf: (requests: number) => number, dearer = 1): DayOfCost {
  const hours = requests.map((of) => ({ requests: of, costUsd: costOf(of) * dearer }));
  const sum = (field: "requests" | "costUsd") => hours.reduce((total, hour) => total + hour[field], 0);
  return { requests: sum("requests"), costUsd: sum("costUsd"), hours };
}
/** Each 100 requests an hour need a device. */
const byDevices = (requests: number) => Math.max(1, Math.ceil(requests / 100));

/** Days whose load is even or comes in the evening, by turns that no day's sum tells apart. */
function days(count: number, seed = 1): number[][] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const isEven = random() < 0.5;
    const level = 300 + 200 * random();
    return Array.from(
      { length: 24 },
      (_, hour) => level * (isEven ? 1 : hour < 16 ? 0.1 : 2.8) * (0.95 + 0.1 * random()),
    );
  });
}

describe("cost of a day's requests, by its hours", () => {
  test("a day is expected as the devices of its hours cost, whatever the day's sum", () => {
    const before = days(28).map((hours) => dayOf(hours, byDevices));
    for (const hours of days(20, 2)) {
      const day = dayOf(hours, byDevices);
      expect(Math.abs(expectCost(before, day).usd / day.costUsd - 1)).toBeLessThan(0.12);
    }
  });

  test("a day a quarter dearer is found, and a usual one is not held for one", () => {
    const all = days(60, 3);
    let [found, falseAlarms] = [0, 0];
    for (let at = 28; at < all.length; at += 1) {
      const before = all.slice(at - 28, at).map((hours) => dayOf(hours, byDevices));
      const isFound = (dearer: number) =>
        decideCostAnomaly({ ...terms, days: [...before, dayOf(all[at] as number[], byDevices, dearer)] }).rule;
      found += Number(isFound(1.25) === "cost-of-requests");
      falseAlarms += Number(isFound(1) === "cost-of-requests");
    }
    expect(found / 32).toBeGreaterThanOrEqual(0.9);
    expect(falseAlarms).toBeLessThanOrEqual(3);
  });

  test("beyond all that was seen a request costs what it did at the top", () => {
    const before = days(28, 6).map((hours) => dayOf(hours, byDevices));
    const busy = dayOf(new Array(24).fill(5000), byDevices);
    expect(Math.abs(expectCost(before, busy).usd / busy.costUsd - 1)).toBeLessThan(0.15);
  });

  test("without hours, or where the day's sum tells more, the day's sum counts", () => {
    const before = days(14, 4).map((hours) => dayOf(hours, (requests) => requests / 100));
    const day = dayOf(days(1, 5)[0] as number[], (requests) => requests / 100);
    const withoutHours = ({ hours: _, ...each }: DayOfCost) => each;
    expect(expectCost(before, day).usd).toBeCloseTo(day.costUsd, 6);
    expect(expectCost(before.map(withoutHours), withoutHours(day)).usd).toBeCloseTo(day.costUsd, 6);
  });

  test("no requests at all, and hours without any", () => {
    const idle = Array.from({ length: 9 }, () => dayOf(new Array(24).fill(0), () => 0.5));
    expect(
      expectCost(
        idle,
        dayOf(new Array(24).fill(0), () => 0.5),
      ).usd,
    ).toBeCloseTo(12, 9);
    expect(
      Number.isFinite(
        expectCost(
          idle,
          dayOf([], () => 0),
        ).usd,
      ),
    ).toBe(true);
  });
});
