import { expect, test } from "bun:test";
import { decideShares } from "#forecast/quantiles/decide-shares.ts";

const cost = (name: string, loss: number, yardstickLoss = 100) => ({ name, loss, yardstickLoss });
const trusted = (name: string, loss: number, prior: number) => ({ ...cost(name, loss), prior });

test.each([
  { name: "none", costs: [], expected: {} },
  { name: "one", costs: [cost("a", 80)], expected: { a: 1 } },
  { name: "two equals", costs: [cost("a", 80), cost("b", 80)], expected: { a: 0.5, b: 0.5 } },
  // 5 % more: e^-1 against 1
  { name: "a little worse", costs: [cost("a", 80), cost("b", 84)], expected: { a: 0.731_059, b: 0.268_941 } },
  { name: "far worse has no say", costs: [cost("a", 80), cost("b", 104)], expected: { a: 1 } },
  { name: "judged at other moments", costs: [cost("a", 80), cost("b", 8, 10)], expected: { a: 0.5, b: 0.5 } },
  // 22.9 % more: e^-4.575, and e^-4.625 for 23.1 %
  { name: "just above one percent", costs: [cost("a", 80), cost("b", 98.3)], expected: { a: 0.989_797, b: 0.010_203 } },
  { name: "just below one percent", costs: [trusted("a", 80, 3), trusted("b", 98.5, 3)], expected: { a: 1 } },
  { name: "twice the trust", costs: [trusted("a", 80, 2), cost("b", 80)], expected: { a: 0.666_667, b: 0.333_333 } },
  { name: "a small yardstick", costs: [cost("a", 0.4, 0.5), cost("b", 0.4, 0.25)], expected: { a: 1 } },
  { name: "a small error in silence", costs: [cost("a", 0.5, 0), cost("b", 0, 0)], expected: { b: 1 } },
  { name: "silence counts as the yardstick", costs: [cost("a", 0, 0), cost("b", 100)], expected: { a: 0.5, b: 0.5 } },
  { name: "silence", costs: [cost("a", 0, 0), cost("b", 0, 0)], expected: { a: 0.5, b: 0.5 } },
  {
    name: "no error at all against a little",
    costs: [cost("a", 0), cost("b", 0), cost("c", 9)],
    expected: { a: 0.5, b: 0.5 },
  },
  { name: "no error at all against two", costs: [cost("a", 0), cost("b", 9), cost("c", 9)], expected: { a: 1 } },
  {
    name: "one percent each",
    costs: Array.from({ length: 100 }, (_, index) => cost(`m${index}`, 80)),
    expected: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`m${index}`, 0.01])),
  },
  { name: "an error in silence", costs: [cost("a", 1, 0), cost("b", 0, 0)], expected: { b: 1 } },
  { name: "without error", costs: [cost("a", 0), cost("b", 1)], expected: { a: 1 } },
  { name: "no number", costs: [cost("a", Number.NaN), cost("b", 90)], expected: { b: 1 } },
  { name: "endless", costs: [cost("a", Number.POSITIVE_INFINITY)], expected: {} },
])("shares: $name", ({ costs, expected }) => {
  const shares = decideShares(costs);
  expect([...shares.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, share] of Object.entries(expected)) expect(shares.get(name)).toBeCloseTo(share, 5);
});

test("the largest comes first", () => {
  expect([...decideShares([cost("b", 84), cost("a", 80)]).keys()]).toEqual(["a", "b"]);
});
