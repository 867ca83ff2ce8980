import { expect, test } from "bun:test";
import { doublingDelayMs } from "#platform/doubling-delay.ts";

test.each([
  { failures: 0, delayMs: 250 },
  { failures: 1, delayMs: 250 },
  { failures: 2, delayMs: 500 },
  { failures: 5, delayMs: 4_000 },
  { failures: 8, delayMs: 30_000 },
  { failures: 5_000, delayMs: 30_000 },
])("after $failures failures in a row: $delayMs ms", ({ failures, delayMs }) => {
  expect(doublingDelayMs(failures, 250, 30_000)).toBe(delayMs);
});
