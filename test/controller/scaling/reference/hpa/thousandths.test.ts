import { expect, test } from "bun:test";
import { sum, toThousandths } from "#controller/scaling/reference/hpa/thousandths.ts";

test.each([
  [0, 0n],
  [1, 1000n],
  [0.07, 70n],
  [0.0001, 1n],
  [0.0015, 2n],
  [1e-7, 1n],
  [-0.0015, -1n],
  [8.6, 8600n],
  [1e14, 10n ** 17n],
  [1e18, 10n ** 21n],
])("%p is %p thousandths", (value, expected) => {
  expect(toThousandths(value)).toBe(expected);
});

test("nothing sums to zero", () => expect(sum([])).toBe(0n));
