import { expect, test } from "bun:test";
import { createRequestTurns } from "#platform/request-turns.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("of those that come at once some begin in each turn, in the order in which they came", async () => {
  const turns = createRequestTurns(3);
  const begun: number[] = [];
  const come = async (name: number) => {
    if (!turns.begin()) await turns.wait();
    begun.push(name);
  };
  const all = Array.from({ length: 8 }, (_, name) => come(name));
  expect(begun).toEqual([0, 1, 2]);
  await nextTurn();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  const last = come(8);
  expect(begun).not.toContain(8);
  await Promise.all([...all, last]);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("who comes in a turn of its own never waits", async () => {
  const turns = createRequestTurns(1);
  for (let i = 0; i < 10; i += 1) {
    expect(turns.begin()).toBe(true);
    await nextTurn();
  }
});

test("one that does not wait its turn does not keep others from theirs", async () => {
  const turns = createRequestTurns(1);
  expect([turns.begin(), turns.begin(), turns.begin()]).toEqual([true, false, false]);
  await turns.wait();
  await nextTurn();
  expect(turns.begin()).toBe(true);
});
