import { expect, test } from "bun:test";
import { createMissBudget } from "#controller/scaling/fleet-plan/miss-budget.ts";

const [expected, high] = [
  [100, 100],
  [144, 144],
];
/** √144 - √100 = 2: the room of a factor of 1. */
const factorOf = (coverQps: readonly number[]) => (Math.sqrt(coverQps[0] as number) - 10) / 2;

function after(minutes: number, missedEach: number, rateQps = 150): number {
  const budget = createMissBudget();
  let cover = budget.coverQps(expected, high);
  for (let minute = 1; minute <= minutes; minute += 1) {
    const missed = missedEach > 0 && minute % missedEach === 0;
    budget.learn(missed ? rateQps : 100, missed);
    cover = budget.coverQps(expected, high);
  }
  return factorOf(cover);
}

test("for three hours what the forecasts' own misses say, then a fifth more", () => {
  expect(after(0, 0)).toBeCloseTo(1, 9);
  expect(after(179, 1)).toBeCloseTo(1, 9);
  expect(after(180, 1)).toBeCloseTo(1.2, 9);
});

test("missed minutes raise it, minutes without lower it, within limits", () => {
  expect(after(181, 181)).toBeCloseTo(1.3, 3);
  expect(after(1180, 0)).toBeCloseTo(1.14, 9);
  expect(after(400, 1)).toBe(3);
  expect(after(100_000, 0)).toBeCloseTo(0.5, 9);
});

test("nothing comes on top of a calibrated quantile but what missed minutes ask for", () => {
  const factorAfter = (minutes: number, missedEach: number) => {
    const budget = createMissBudget();
    budget.coverQps(expected, high, true);
    for (let minute = 1; minute <= minutes; minute += 1) {
      const missed = missedEach > 0 && minute % missedEach === 0;
      budget.learn(missed ? 150 : 100, missed);
    }
    return factorOf(budget.coverQps(expected, high, true));
  };
  expect(factorAfter(0, 0)).toBeCloseTo(1, 9);
  expect(factorAfter(180, 0)).toBeCloseTo(1, 9);
  expect(factorAfter(100_000, 0)).toBeCloseTo(1, 9);
  expect(factorAfter(181, 181)).toBeCloseTo(1.3 / 1.2, 3);
});

test("six minutes in ten thousand are what it may miss: there it stays", () => {
  expect(after(180 + 20_000, 1667)).toBeWithin(1.1, 1.3);
});

test("against a break in the traffic more room would not have helped", () => {
  // (10 + 3 × 2)² = 256
  expect(after(197, 181, 255)).toBeGreaterThan(1.29);
  expect(after(197, 181, 257)).toBeLessThan(1.2);
});

test("nothing was asked for yet: nothing to learn from; a forecast above its own bound gets no room", () => {
  const budget = createMissBudget();
  budget.learn(1e9, true);
  expect(budget.coverQps([100], [50])).toEqual([100]);
  expect(budget.coverQps([], [])).toEqual([]);
});

test("after a break what came in the newest minutes may come again and more, for a quarter of an hour", () => {
  const budget = createMissBudget();
  for (let minute = 0; minute < 600; minute += 1) {
    budget.coverQps([100], [121]);
    budget.learn(100, false);
  }
  budget.learn(1000, true);
  expect(budget.coverQps([100], [121])[0]).toBeCloseTo(1210, -1);
  for (const rate of [800, 900, 850, 870, 860]) budget.learn(rate, false);
  budget.coverQps([860], [1000]);
  // The largest of the newest five, a fifth more.
  expect(budget.coverQps([860], [900])[0]).toBeWithin(900 * 1.15, 900 * 1.3);
  for (let minute = 0; minute < 15; minute += 1) {
    budget.coverQps([860], [900]);
    budget.learn(860, false);
  }
  expect(budget.coverQps([860], [900])[0]).toBeLessThan(930);
});
