import { describe, expect, test } from "bun:test";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { LatencyQuantiles } from "#tools/demo/traffic/latency-quantiles.ts";
import { paceMinute } from "#tools/demo/traffic/pace.ts";
import { createTexts } from "#tools/demo/traffic/texts.ts";
import { createZipf } from "#tools/demo/traffic/zipf.ts";

describe("paceMinute", () => {
  test.each([
    { name: "nothing", requests: 0, carry: 0.5, offsets: [], left: 0.5 },
    { name: "not a number", requests: Number.NaN, carry: 0.5, offsets: [], left: 0.5 },
    { name: "one", requests: 1, carry: 0, offsets: [1], left: 0 },
    { name: "four", requests: 4, carry: 0, offsets: [0.25, 0.5, 0.75, 1], left: 0 },
    { name: "two, half a request begun", requests: 2, carry: 0.5, offsets: [0.25, 0.75], left: 0.5 },
    { name: "too few for one", requests: 0.25, carry: 0.5, offsets: [], left: 0.75 },
  ])("$name", ({ requests, carry, offsets, left }) => {
    const paced = paceMinute(requests, carry);
    expect(paced.offsets).toEqual(offsets);
    expect(paced.carry).toBeCloseTo(left, 9);
  });

  test("fractions add up over many minutes", () => {
    let sent = 0;
    let carry = 0;
    for (let minute = 0; minute < 1000; minute += 1) {
      const paced = paceMinute(0.3, carry);
      sent += paced.offsets.length;
      carry = paced.carry;
    }
    expect(Math.abs(sent - 300)).toBeLessThanOrEqual(1);
  });
});

describe("texts", () => {
  test("thousands of different sentences, the same ones for the same seed", () => {
    const texts = createTexts(3000, 7);
    expect(new Set(texts).size).toBe(3000);
    expect(texts).toEqual(createTexts(3000, 7));
    expect(texts).not.toEqual(createTexts(3000, 8));
    expect(texts.filter((text) => /[{}]|undefined|NaN/.test(text))).toEqual([]);
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(120);
  });
});

describe("zipf", () => {
  test.each([
    { count: 1, uniform: 0, expected: 0 },
    { count: 1, uniform: 0.999, expected: 0 },
    { count: 3, uniform: 0, expected: 0 },
    { count: 3, uniform: 0.999_999, expected: 2 },
    // With exponent 1 the weights are 6 : 3 : 2 of 11.
    { count: 3, uniform: 0.54, expected: 0 },
    { count: 3, uniform: 0.55, expected: 1 },
    { count: 3, uniform: 0.82, expected: 2 },
  ])("of $count at $uniform", ({ count, uniform, expected }) => {
    expect(createZipf(count, 1)(uniform)).toBe(expected);
  });

  test("the first is asked for about twice as often as the second", () => {
    const random = seededRandom(1);
    const draw = createZipf(1000, 1);
    const counts = new Array(1000).fill(0);
    for (let index = 0; index < 20_000; index += 1) counts[draw(random())] += 1;
    expect(counts[0] / counts[1]).toBeGreaterThan(1.7);
    expect(counts[0] / counts[1]).toBeLessThan(2.3);
  });

  test.each([0, 1.5, Number.NaN])("%p values is a bug", (count) => {
    expect(() => createZipf(count, 1)).toThrow("bug");
  });
});

describe("LatencyQuantiles", () => {
  test("is null without requests", () => {
    expect(new LatencyQuantiles().quantileMs(0.5)).toBeNull();
  });
  test("is right to two per cent", () => {
    const latencies = new LatencyQuantiles();
    for (let ms = 1; ms <= 1000; ms += 1) latencies.record(ms);
    expect(latencies.total).toBe(1000);
    for (const quantile of [0.01, 0.5, 0.95, 0.99, 1]) {
      const ms = latencies.quantileMs(quantile)!;
      expect(Math.abs(ms / (quantile * 1000) - 1)).toBeLessThan(0.03);
    }
  });
  test.each([0, -1, 1e12])("takes %p", (ms) => {
    const latencies = new LatencyQuantiles();
    latencies.record(ms);
    expect(latencies.quantileMs(0.5)).toBeGreaterThan(0);
  });
});
