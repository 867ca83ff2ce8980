import { describe, expect, test } from "bun:test";
import {
  formatDuration,
  formatMoney,
  formatNumber,
  formatRate,
  formatShare,
  formatTime,
  formatWatts,
  quantityText,
  unknown,
} from "#platform/page/format.ts";

describe("figures", () => {
  const formats = { formatNumber, formatDuration, formatMoney, formatRate, formatShare, formatWatts };
  const textOf = (written: string | { value: string; unit: string }) =>
    typeof written === "string" ? written : quantityText(written);

  test.each(Object.entries(formats))("%s: unknown is never 0", (_, format) => {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      const text = textOf(format(value));
      expect(text).toStartWith(unknown);
      expect(text).not.toMatch(/\d/);
    }
    expect(textOf(format(0))).toMatch(/^\$?0/);
  });

  test.each([
    [0.000123, "0.000123"],
    [0.1234, "0.123"],
    [1, "1"],
    [12.34, "12.3"],
    [123.4, "123"],
    [1234.5, "1,235"],
    [-12.34, "−12.3"],
    [-0.0000000001, "−0.0000000001"],
    [1e15, "1,000,000,000,000,000"],
  ])("number %p is %p", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test.each([
    [0.34, "340 mW"],
    [12.34, "12.3 W"],
    [999.97, "1 kW"],
    [1250, "1.25 kW"],
    [2_345_000, "2.35 MW"],
    [0, "0 W"],
  ])("power %p is %p", (value, text) => {
    expect(quantityText(formatWatts(value))).toBe(text);
  });

  test.each([
    [0, "$0.00"],
    [0.000012345, "$0.0000123"],
    [0.1234, "$0.123"],
    [12.345, "$12.35"],
    [-1234.5, "−$1,234.50"],
  ])("money %p is %p", (value, text) => {
    expect(formatMoney(value).value).toBe(text);
  });

  test.each([
    [0.5, "0.5 ms"],
    [22, "22 ms"],
    [1_500, "1.5 s"],
    [90_000, "1.5 min"],
    [7_200_000, "2 h"],
    [-7_200_000, "−2 h"],
    [1e9, "12 d"],
  ])("duration %p is %p", (value, text) => {
    expect(quantityText(formatDuration(value))).toBe(text);
  });

  test("rates have a prefix from ten thousand on", () => {
    expect(quantityText(formatRate(9_999))).toBe("9,999 texts/s");
    expect(quantityText(formatRate(12_345, "requests/s"))).toBe("12.3k requests/s");
  });
});

describe("times", () => {
  const atMs = Date.UTC(2026, 10, 30, 16, 5, 9);
  test("are written in a zone, which the full form names", () => {
    expect(formatTime(atMs, "minute", "UTC")).toBe("16:05");
    expect(formatTime(atMs, "second", "Europe/Berlin")).toBe("17:05:09");
    expect(formatTime(atMs, "day", "UTC")).toBe("30 Nov, 16:05");
    expect(formatTime(atMs, "full", "UTC")).toBe("Mon, 30 Nov 2026, 16:05:09 UTC");
    expect(formatTime(Date.UTC(2026, 0, 1), "second", "UTC")).toBe("00:00:00");
  });
  test("that are none are unknown", () => {
    for (const value of [null, undefined, Number.NaN, 9e15]) expect(formatTime(value, "full", "UTC")).toBe(unknown);
  });
});
