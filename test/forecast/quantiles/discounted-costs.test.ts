import { describe, expect, test } from "bun:test";
import { decideShares, type ForecastCost } from "#forecast/quantiles/decide-shares.ts";
import { createDiscountedCosts } from "#forecast/quantiles/discounted-costs.ts";
import { hourMs, minuteMs } from "#platform/time.ts";

/** Feeds losses by name, one moment a minute. */
function after(
  rounds: number,
  lossesAt: (round: number) => Record<string, number>,
  priorOf?: (name: string) => number,
) {
  const costs = createDiscountedCosts(priorOf);
  for (let round = 0; round < rounds; round += 1) {
    costs.observe(round * minuteMs, new Map(Object.entries(lossesAt(round))));
  }
  return costs;
}

test.each([
  { name: "nothing before ten comparisons", rounds: 9, losses: { a: 1, b: 1 }, expected: null },
  { name: "equals", rounds: 10, losses: { a: 1, b: 1 }, expected: { a: 0.5, b: 0.5 } },
  // 10 of 110: sharpness 20/11; 10 % more weighs e^-(2/11)
  { name: "a little worse, little experience", rounds: 10, losses: { a: 1, b: 1.1 }, expected: { a: 0.545, b: 0.455 } },
  // 900 of 1,000: sharpness 18; e^-1.8
  { name: "a little worse, much experience", rounds: 900, losses: { a: 1, b: 1.1 }, expected: { a: 0.858, b: 0.142 } },
  { name: "clearly worse", rounds: 900, losses: { a: 1, b: 1.5 }, expected: { a: 1 } },
  { name: "without traffic", rounds: 20, losses: { a: 0, b: 0 }, expected: { a: 0.5, b: 0.5 } },
])("shares: $name", ({ rounds, losses, expected }) => {
  const shares = after(rounds, () => losses).shares(["a", "b", "never seen"]);
  if (expected === null) {
    expect(shares).toBeNull();
    return;
  }
  expect([...shares!.keys()].sort()).toEqual(Object.keys(expected));
  for (const [name, share] of Object.entries(expected)) expect(shares!.get(name)).toBeCloseTo(share, 2);
});

test("a moment without any loss changes nothing", () => {
  const observed = (isInterrupted: boolean) => {
    const costs = createDiscountedCosts();
    for (let round = 0; round < 20; round += 1) {
      costs.observe(
        round * hourMs,
        new Map([
          ["a", 1],
          ["b", round < 10 ? 1.3 : 1],
        ]),
      );
      if (isInterrupted) costs.observe(round * hourMs + 59 * minuteMs, new Map());
    }
    return costs.shares(["a", "b"]);
  };
  expect(observed(true)).toEqual(observed(false));
});

test("one that was trusted more from the start keeps a lead among equals and loses it when it errs", () => {
  const trusted = (name: string) => (name === "a" ? 4 : 1);
  expect(
    after(200, () => ({ a: 1, b: 1 }), trusted)
      .shares(["a", "b"])
      ?.get("a"),
  ).toBeCloseTo(0.8, 6);
  expect(
    after(900, () => ({ a: 1.4, b: 1 }), trusted)
      .shares(["a", "b"])
      ?.get("a") ?? 0,
  ).toBeLessThan(0.01);
});

test("a forecaster that joins late is judged by the moments at which it forecast", () => {
  // Everything is ten times as hard from minute 400 on; the late one is as good as the others there.
  const costs = after(
    500,
    (round): Record<string, number> => (round < 400 ? { a: 1, b: 1 } : { a: 10, b: 10, late: 10 }),
  );
  expect(costs.shares(["a", "b", "late"])?.get("late")).toBeCloseTo(1 / 3, 2);
});

test("a change within the hour is seen, what was learnt in days is not forgotten for it", () => {
  const costs = after(2_940, (round) => (round < 2_880 ? { a: 1, b: 1.2 } : { a: 1.2, b: 1 }));
  const share = costs.shares(["a", "b"])!.get("b")!;
  expect(share).toBeGreaterThan(0.1);
  expect(share).toBeLessThan(0.9);
});

test("an absent forecaster has no share, a forgotten one starts anew, and costs of an earlier run are taken over", () => {
  const costs = after(100, () => ({ a: 1, b: 1, c: 1 }));
  expect([...costs.shares(["a", "b"])!.keys()].sort()).toEqual(["a", "b"]);
  costs.forget("a");
  expect([...costs.shares(["a", "b"])!.keys()]).toEqual(["b"]);
  costs.observe(101 * hourMs, new Map());
  costs.restore([{ name: "a", loss: 1, yardstickLoss: 1 }], 30);
  expect(costs.shares(["a", "b"])?.get("a")).toBeCloseTo(0.5, 1);
  costs.restore([{ name: "b", loss: 9, yardstickLoss: 1 }], 30);
  expect(costs.shares(["a", "b"])?.get("b")).toBeCloseTo(0.5, 1);
});

describe("shares by hand", () => {
  /** Mean of the shares at the four half-lives, from the costs at each. */
  function expectedShares(costsAt: (decay: number) => ForecastCost[], comparisons: number, afterMs: number) {
    const mean = new Map<string, number>();
    for (const hours of [1, 3, 12, 48]) {
      const costs = costsAt(0.5 ** (afterMs / (hours * hourMs)));
      for (const [name, share] of decideShares(costs, (20 * comparisons) / (comparisons + 100))) {
        mean.set(name, (mean.get(name) ?? 0) + share / 4);
      }
    }
    return mean;
  }
  const late = { name: "late", loss: 20, yardstickLoss: 20 };

  test("newer costs weigh more, by four half-lives; the yardstick is the median of the moment", () => {
    const costs = createDiscountedCosts();
    for (let index = 0; index < 10; index += 1) costs.observe(0, new Map(Object.entries({ b: 3, a: 1 })));
    const second = { late: 2, b: 1, a: 2, c: 9 };
    costs.observe(3 * hourMs, new Map(Object.entries(second)));
    for (let index = 1; index < 10; index += 1) costs.observe(3 * hourMs, new Map(Object.entries(second)));
    const expected = expectedShares(
      (decay) => [
        { name: "a", loss: 10 * decay + 20, yardstickLoss: 30 * decay + 20 },
        { name: "b", loss: 30 * decay + 10, yardstickLoss: 30 * decay + 20 },
        late,
        { name: "c", loss: 90, yardstickLoss: 20 },
      ],
      20,
      3 * hourMs,
    );
    const shares = costs.shares(["c", "late", "b", "a"]) ?? new Map<string, number>();
    expect([...shares.keys()]).toEqual([...expected].sort(([, a], [, b]) => b - a).map(([name]) => name));
    for (const [name, share] of expected) expect(shares.get(name)).toBeCloseTo(share, 9);
  });

  test("a clock set back lets no cost grow", () => {
    const costs = createDiscountedCosts();
    for (let index = 0; index < 10; index += 1) costs.observe(3 * hourMs, new Map(Object.entries({ a: 1, b: 3 })));
    for (let index = 0; index < 10; index += 1) costs.observe(0, new Map(Object.entries({ a: 2, b: 1 })));
    const expected = expectedShares(
      () => [
        { name: "a", loss: 30, yardstickLoss: 50 },
        { name: "b", loss: 40, yardstickLoss: 50 },
      ],
      20,
      0,
    );
    const shares = costs.shares(["a", "b"]);
    for (const [name, share] of expected) expect(shares?.get(name)).toBeCloseTo(share, 9);
  });

  test("nothing known of those that are asked for, or only endless losses: no shares", () => {
    const costs = createDiscountedCosts();
    costs.observe(0, new Map());
    expect(costs.shares(["a"])).toBeNull();
    for (let index = 0; index < 10; index += 1) costs.observe(0, new Map([["a", Number.POSITIVE_INFINITY]]));
    expect(costs.shares(["a"])).toBeNull();
    expect(costs.shares([])).toBeNull();
  });
});
