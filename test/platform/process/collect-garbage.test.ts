import { expect, test } from "bun:test";
import { createGarbageCollection } from "#platform/process/collect-garbage.ts";

test("collects after so many bytes, but not all the time", () => {
  let now = 0;
  let collected = 0;
  const garbage = createGarbageCollection(
    100,
    () => now,
    () => (collected += 1),
  );
  garbage.note(99);
  expect(collected).toBe(0);
  garbage.note(1);
  expect(collected).toBe(1);
  garbage.note(1_000);
  expect(collected).toBe(1);
  now = 10_000;
  garbage.note(0);
  expect(collected).toBe(2);
  garbage.note(99);
  expect(collected).toBe(2);
});
