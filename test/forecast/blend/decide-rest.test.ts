import { expect, test } from "bun:test";
import { decideRest } from "#forecast/blend/decide-rest.ts";
import { dayMs } from "#platform/time.ts";

test.each([
  { name: "just had a share", idleMs: 0, expected: "work" },
  { name: "just under two days without one", idleMs: 2 * dayMs - 1, expected: "work" },
  { name: "two days without one", idleMs: 2 * dayMs, expected: "rest" },
  { name: "just under nine days", idleMs: 9 * dayMs - 1, expected: "rest" },
  { name: "a week's rest is over", idleMs: 9 * dayMs, expected: "try" },
  { name: "the clock was set back", idleMs: -30 * dayMs, expected: "work" },
] as const)("$name", ({ idleMs, expected }) => {
  expect(decideRest(1e12, 1e12 + idleMs)).toBe(expected);
});
