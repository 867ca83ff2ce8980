import { expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { chanceOfLuck } from "#forecast/night/chance-of-luck.ts";

const random = seededRandom(4);
/** Stretches in which the candidate errs `gain` less than an incumbent that errs 100, give or take 20. */
const stretches = (count: number, gain: number) =>
  Array.from({ length: count }, () => ({ candidate: 100 - gain + 40 * (random() - 0.5), incumbent: 100 }));

test.each([
  { name: "no stretch", pairs: [], from: 1, to: 1 },
  { name: "one stretch that was won", pairs: [{ candidate: 1, incumbent: 2 }], from: 0, to: 0 },
  { name: "one stretch that was lost", pairs: [{ candidate: 2, incumbent: 1 }], from: 1, to: 1 },
  { name: "equals", pairs: [{ candidate: 2, incumbent: 2 }], from: 1, to: 1 },
  {
    // All four draws are the lost one with probability 1/4^4; with three or more of it the sum is not above zero: 13/256.
    name: "three won, one lost by as much as two won",
    pairs: [...new Array(3).fill({ candidate: 0, incumbent: 1 }), { candidate: 2, incumbent: 0 }],
    from: 0.2,
    to: 0.32,
  },
  { name: "1 % in ten stretches can't be shown", pairs: stretches(10, 1), from: 0.05, to: 0.95 },
  { name: "1 % in ten thousand can", pairs: stretches(10_000, 1), from: 0, to: 0.01 },
  { name: "20 % in ten can", pairs: stretches(10, 20), from: 0, to: 0.01 },
])("$name", ({ pairs, from, to }) => {
  expect(chanceOfLuck([...pairs], 1)).toBeWithin(from, to + 1e-9);
});

test("the same seed gives the same chance", () => {
  const pairs = stretches(20, 2);
  expect(chanceOfLuck(pairs, 7)).toBe(chanceOfLuck(pairs, 7));
});
