import { describe, expect, test } from "bun:test";
import { decideMemoryTrend } from "#tools/load/watch/decide-memory-trend.ts";
import { explainMemoryTrend } from "#tools/load/watch/explain-memory-trend.ts";

const mb = 1e6;
/** A sample a second. */
const over = (seconds: number, rss: (second: number) => number) =>
  Array.from({ length: seconds + 1 }, (_, second) => ({ elapsedMs: 1_000 * second, memoryBytes: rss(second) }));

test.each([
  ["nothing seen", [], "unknown"],
  ["too short", over(8, () => 400 * mb), "unknown"],
  ["flat", over(600, () => 400 * mb), "flat"],
  ["warming up for two minutes, then flat", over(600, (s) => 300 * mb + Math.min(s, 120) * mb), "flat"],
  ["a short run that warms up first", over(30, (s) => (s < 10 ? 300 : 400) * mb), "flat"],
  ["growing all the time", over(600, (s) => (300 + s) * mb), "growing"],
  ["10 % more is still flat", over(600, (s) => (s < 300 ? 400 : 440) * mb), "flat"],
  ["11 % more is not", over(600, (s) => (s < 300 ? 400 : 444) * mb), "growing"],
  ["swinging by a collector", over(600, (s) => (s % 10 === 0 ? 900 : 400) * mb), "flat"],
  ["shrinking", over(600, (s) => (s < 300 ? 500 : 400) * mb), "flat"],
  ["the process was gone", over(60, () => 0), "unknown"],
] as const)("%s", (_, samples, kind) => {
  const trend = decideMemoryTrend(samples);
  expect(trend.kind).toBe(kind);
  expect(explainMemoryTrend(trend)).not.toMatch(/NaN|undefined/);
});

test("the verdict names its figures", () => {
  const rising = decideMemoryTrend(over(600, (s) => (s < 300 ? 400 : 444) * mb));
  expect(rising).toEqual({ kind: "growing", earlyBytes: 400 * mb, lateBytes: 444 * mb, settledMs: 120_000 });
  expect(explainMemoryTrend(rising)).toBe("400 MB after 120 s, 444 MB at the end (+11.0 %)");
  const falling = decideMemoryTrend(over(30, (s) => (s < 20 ? 500 : 400) * mb));
  expect(falling).toMatchObject({ kind: "flat", settledMs: 12_000 });
  expect(explainMemoryTrend(falling)).toBe("500 MB after 12 s, 400 MB at the end (-20.0 %)");
  const short = decideMemoryTrend(over(8, () => 400 * mb));
  expect(short).toEqual({ kind: "unknown", rule: "few-samples", samples: 9, needed: 10 });
  expect(explainMemoryTrend(short)).toBe("only 9 memory samples of the required 10");
  expect(explainMemoryTrend(decideMemoryTrend(over(60, () => 0)))).toBe("the memory samples have gaps");
});

describe("the compared stretches", () => {
  /** Ten samples, one a second after 100 s: settling ends at 40 % of the run. */
  const at = (values: readonly [seconds: number, bytes: number][]) =>
    values.map(([seconds, memoryBytes]) => ({ elapsedMs: 1_000 * seconds, memoryBytes }));
  const middle = [50.1, 60, 70, 80, 85, 89.9].map((second): [number, number] => [second, 5_000]);

  test("are the tenth after settling and the last one, their ends included; ten samples are enough", () => {
    const samples = at([[0, 9_000], [39.9, 9_000], [40, 10], [50, 10], ...middle, [90, 11], [100, 11]]);
    expect(decideMemoryTrend(samples)).toEqual({ kind: "flat", earlyBytes: 10, lateBytes: 11, settledMs: 40_000 });
    expect(decideMemoryTrend(at([[40, 10], [45, 10], ...middle, [95, 11], [100, 11]]))).toMatchObject({
      lateBytes: 11,
    });
  });

  test("have medians, the upper of two", () => {
    const first = at([[40, 12], [50, 10], ...middle, [90, 5], [100, 4]]);
    expect(decideMemoryTrend(first)).toMatchObject({ earlyBytes: 12, lateBytes: 5 });
    const samples = at([[40, 30], [42, 10], [44, 20], ...middle, [95, 2], [96, 1], [97, 4], [100, 3]]);
    expect(decideMemoryTrend(samples)).toMatchObject({ earlyBytes: 20, lateBytes: 3 });
  });

  test.each([
    ["no sample in the first", at([...middle, [51, 1], [52, 1], [95, 1], [100, 1]])],
    ["nothing in the first", at([[45, 0], ...middle, [55, 1], [95, 1], [100, 1]])],
    ["nothing in the last", at([[45, 1], ...middle, [55, 1], [95, 0], [100, 0]])],
  ])("with %s there is nothing to compare", (_name, samples) => {
    expect(decideMemoryTrend(samples)).toEqual({ kind: "unknown", rule: "gaps" });
  });

  test("a single byte counts", () => {
    expect(decideMemoryTrend(at([[45, 1], ...middle, [55, 1], [95, 1], [100, 1]]))).toMatchObject({ kind: "flat" });
    expect(decideMemoryTrend(at([[45, 0.5], ...middle, [55, 1], [95, 0.5], [100, 0.5]]))).toMatchObject({
      kind: "flat",
    });
  });
});
