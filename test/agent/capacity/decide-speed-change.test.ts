import { describe, expect, test } from "bun:test";
import {
  decideSpeedChange,
  isOfSmallBatches,
  type MixSpeed,
  maxMixes,
  mixOf,
} from "#agent/capacity/decide-speed-change.ts";
import { noWork, type Work } from "#agent/serving/batching/work-record.ts";

/** Batches of so many texts with 32 tokens that took this time. */
const work = (textsPerBatch: number, busyMs: number, costPerMs = 1): Work => {
  const computedCost = busyMs * costPerMs;
  const batches = computedCost / (40 + textsPerBatch * 32);
  const texts = batches * textsPerBatch;
  return { ...noWork, texts, tokens: texts * 32, cost: computedCost, computedCost, batches, computeMs: busyMs, busyMs };
};
const known = (textsPerBatch: number, tokensPerS: number, learntMs = 15_000): MixSpeed => ({
  mix: mixOf(work(textsPerBatch, 1_000)) as MixSpeed["mix"],
  size: Math.log2(40 + textsPerBatch * 32),
  tokensPerS,
  learntMs,
});

describe("a mix of batches", () => {
  test.each([
    { name: "single texts of 32 tokens", seen: work(1, 1_000), mix: [12, 10, 0] },
    { name: "eight of them", seen: work(8, 1_000), mix: [16, 10, 0] },
    { name: "two batches at a time", seen: { ...work(8, 1_000), computeMs: 2_000 }, mix: [16, 10, 1] },
    { name: "texts of a token", seen: { ...work(1, 1_000), tokens: 1e-9 }, mix: [12, 0, 0] },
  ])("$name", ({ seen, mix }) => {
    expect(mixOf(seen)).toEqual(mix as MixSpeed["mix"]);
  });

  test.each(["batches", "computedCost", "texts", "tokens", "busyMs"] as const)("is unknown without %s", (key) => {
    expect(mixOf({ ...work(8, 1_000), [key]: 0 })).toBeNull();
    expect(decideSpeedChange([], { ...work(8, 1_000), [key]: 0 })).toBeNull();
  });
});

describe("a mix that is new", () => {
  test("is learnt, and says nothing of the device", () => {
    const change = decideSpeedChange([known(8, 1_000)], work(1, 10_000, 0.6));
    expect(change).toMatchObject({ rule: "learnt", factor: 1 });
    expect(change?.mixes.at(-1)).toMatchObject({ tokensPerS: expect.closeTo(500, 6), learntMs: 10_000 });
  });

  test("for fifteen seconds of computing, by their mean", () => {
    const once = decideSpeedChange([known(1, 400, 7_000)], work(1, 7_000, 1.08));
    expect(once).toMatchObject({ rule: "learnt", factor: 1 });
    // Half of the way, by ratio, from 400 to 900.
    expect(once?.mixes.at(-1)).toMatchObject({ tokensPerS: expect.closeTo(600, 6), learntMs: 14_000 });
    expect(decideSpeedChange([known(1, 400, 14_999)], work(1, 10))?.rule).toBe("learnt");
    expect(decideSpeedChange([known(1, 400)], work(1, 10))?.rule).toBe("followed");
  });

  test("replaces the one that was not seen for longest", () => {
    const many = Array.from({ length: maxMixes }, (_, step) => ({
      mix: [step, 0, 0] as MixSpeed["mix"],
      size: step / 2,
      tokensPerS: 1,
      learntMs: 1,
    }));
    const mixes = decideSpeedChange(many, work(8, 1_000))?.mixes ?? [];
    expect(mixes).toHaveLength(maxMixes);
    expect(mixes.map(({ mix }) => mix[0])).toEqual([
      ...Array.from({ length: maxMixes - 1 }, (_, step) => step + 1),
      16,
    ]);
  });
});

describe("a mix whose speed is known", () => {
  test("that takes as long as before: nothing has changed", () => {
    expect(decideSpeedChange([known(8, 1_000)], work(8, 5_000, 1.2))?.factor).toBeCloseTo(1, 9);
  });

  test.each([0.5, 2])(
    "that has %p of its speed: half of the way in fifteen seconds of computing, for all mixes",
    (share) => {
      const change = decideSpeedChange([known(8, 1_000), known(1, 600)], work(8, 15_000, 1.2 * share));
      expect(change?.factor).toBeCloseTo(Math.sqrt(share), 6);
      const speeds = change?.mixes.map(({ mix, tokensPerS }) => [mix[0], tokensPerS]);
      expect(speeds).toEqual([
        [12, expect.closeTo(600 * Math.sqrt(share), 6)],
        [16, expect.closeTo(1_000 * Math.sqrt(share), 6)],
      ]);
    },
  );
});

describe("batches larger than those that a mix was learnt from", () => {
  // From 72 to 144 tokens a batch becomes faster by 1.44, so by a twentieth of that way (in logarithms) to 75.
  const small = known(1, 500);
  const large: MixSpeed = { mix: [14, 10, 0], size: Math.log2(144), tokensPerS: 720, learntMs: 15_000 };
  const tokensPerS = 500 * 1.44 ** 0.05;
  const computedCost = 1.2 * tokensPerS;
  const batches = computedCost / (72 * 2 ** 0.05);
  const seen: Work = {
    ...{ ...noWork, texts: batches, tokens: batches * 32, cost: computedCost, computedCost, batches },
    ...{ computeMs: 1_000, busyMs: 1_000 },
  };
  const factor = (...mixes: readonly MixSpeed[]) => decideSpeedChange(mixes, seen)?.factor ?? 0;

  test("are as fast as the line to the next mix says", () => {
    expect(factor(large, small)).toBeCloseTo(1, 9);
    expect(factor(small)).toBeGreaterThan(1.0001);
  });

  test.each([
    { name: "is not known well", other: { ...large, learntMs: 14_999 } },
    { name: "has longer texts", other: { ...large, mix: [14, 11, 0] as MixSpeed["mix"] } },
    { name: "is computed two at a time", other: { ...large, mix: [14, 10, 1] as MixSpeed["mix"] } },
    { name: "is about as large", other: { ...large, size: small.size + 0.19 } },
  ])("unless the other $name", ({ other }) => {
    expect(factor(other, small)).toBe(factor(small));
  });

  test("or the line from a smaller one, when no larger one is known", () => {
    const smaller: MixSpeed = { ...large, mix: [10, 10, 0], size: small.size - 1, tokensPerS: 500 / 1.44 };
    expect(factor(smaller, small)).toBeCloseTo(1, 9);
    expect(factor(smaller, large, small)).toBeCloseTo(1, 9);
    expect(factor({ ...smaller, tokensPerS: 1 }, large, small)).toBeCloseTo(1, 9);
  });
});

test("batches are small when larger ones are known", () => {
  expect(isOfSmallBatches([])).toBe(false);
  expect(isOfSmallBatches([known(8, 1), known(1, 1)])).toBe(true);
  expect(isOfSmallBatches([known(8, 1, 14_999), known(1, 1)])).toBe(false);
  expect(isOfSmallBatches([known(1, 1), known(8, 1)])).toBe(false);
});
