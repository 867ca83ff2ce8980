import { expect, test } from "bun:test";
import { createByteBudget } from "#platform/byte-budget.ts";

test("what is taken is given back once, and no more than there is can be taken", () => {
  const budget = createByteBudget(100);
  const first = budget.reserve(50, "a");
  const second = budget.reserve(40, "b");
  expect(budget.usedBytes()).toBe(90);
  expect(budget.reserve(11, "c")).toBeNull();
  expect(second?.grow(11)).toBe(false);
  expect(second?.grow(10)).toBe(true);
  expect(budget.refusals()).toBe(2);
  first?.release();
  first?.release();
  expect(budget.usedBytes()).toBe(50);
  second?.release();
  expect(budget.usedBytes()).toBe(0);
});

test("one owner has half of it at most, however often it asks", () => {
  const budget = createByteBudget(100);
  const holds = Array.from({ length: 10 }, () => budget.reserve(10, "greedy"));
  expect(holds.filter((hold) => hold !== null).length).toBe(5);
  expect(budget.reserve(50, "other")).not.toBeNull();
  for (const hold of holds) hold?.release();
  expect(budget.reserve(50, "greedy")).not.toBeNull();
});
