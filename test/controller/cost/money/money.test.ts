import { describe, expect, test } from "bun:test";
import {
  divideToNearest,
  moneyOf,
  moneyToNumber,
  moneyToText,
  productOf,
  splitMoney,
  sumOf,
} from "#controller/cost/money/money.ts";

describe("an amount", () => {
  test.each<[number | string, string]>([
    [0, "0"],
    [-0, "0"],
    [0.1, "0.1"],
    [0.15, "0.15"],
    [1e-7, "0.0000001"],
    [1e21, "1000000000000000000000"],
    ["1.50", "1.5"],
    [-3.25, "-3.25"],
    [0.30000000000000004, "0.3"],
    ["0.0000000000005", "0"],
    ["0.0000000000015", "0.000000000002"],
    ["2.5E-3", "0.0025"],
    ["123456789012345678901234.5", "123456789012345678901234.5"],
  ])("of %p is %s", (value, text) => expect(moneyToText(moneyOf(value))).toBe(text));

  test.each([Number.NaN, Number.POSITIVE_INFINITY, "", "1,5", "0x10", " 1", "1."])("of %p is none", (value) => {
    expect(() => moneyOf(value)).toThrow(/expected a decimal number/);
  });

  test.each([
    ["2.345", "2.34"],
    ["2.355", "2.36"],
    ["-2.345", "-2.34"],
    ["0.005", "0.00"],
    ["-0.001", "0.00"],
    ["1999.999", "2000.00"],
  ])("%s in cents is %s: a half goes to the even cent", (value, text) => {
    expect(moneyToText(moneyOf(value), 2)).toBe(text);
  });

  test("of dimes adds up as decimals do, which numbers don't", () => {
    expect(moneyToNumber(sumOf(Array.from({ length: 10 }, () => moneyOf(0.1))))).toBe(1);
    expect(Array.from({ length: 10 }, () => 0.1).reduce((sum, each) => sum + each)).not.toBe(1);
  });
});

test("a product is rounded once", () => {
  expect(moneyToText(productOf(0.15, "0.00000000001", 3, 7))).toBe("0.000000000032");
  expect(moneyToText(productOf(0.1, 3))).toBe("0.3");
  expect(moneyToText(productOf(0.034, 730, 5))).toBe("124.1");
});

test("halves go to the even number, on both sides of 0", () => {
  expect([5n, 15n, -5n, -15n, 16n, 14n].map((each) => divideToNearest(each, 10n))).toEqual([0n, 2n, 0n, -2n, 2n, 1n]);
  expect(divideToNearest(15n, -10n)).toBe(-2n);
});

test("numbers are read as they are written, whatever their size", () => {
  let seed = 7;
  for (let round = 0; round < 2000; round += 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    const value = (seed % 2 === 0 ? 1 : -1) * (seed / 10 ** (seed % 22));
    expect({ value, money: moneyOf(value) }).toEqual({ value, money: moneyOf(String(value)) });
  }
});

describe("a split", () => {
  test.each<[bigint, bigint[], bigint[] | null]>([
    [100n, [1n, 1n, 1n], [34n, 33n, 33n]],
    [101n, [1n, 1n, 1n], [34n, 34n, 33n]],
    [-100n, [1n, 1n, 1n], [-34n, -33n, -33n]],
    [10n, [1n, 0n, -5n], [10n, 0n, 0n]],
    [10n, [1n, 2n], [3n, 7n]],
    [0n, [1n, 2n], [0n, 0n]],
    [10n, [0n, 0n], null],
    [10n, [], null],
  ])("of %p by %p is %p", (amount, weights, parts) => expect(splitMoney(amount, weights)).toEqual(parts));

  test("adds up whatever is split", () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed;
    };
    for (let round = 0; round < 500; round += 1) {
      const weights = Array.from({ length: 1 + (random() % 40) }, () => BigInt(random() % 1000));
      const amount = BigInt(random()) * BigInt(random()) * (random() % 2 === 0 ? 1n : -1n);
      const parts = splitMoney(amount, weights);
      if (parts !== null) expect(sumOf(parts)).toBe(amount);
    }
  });
});
