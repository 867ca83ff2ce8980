import { expect, test } from "bun:test";
import { decideMemoryTrend } from "#tools/load/decide-memory-trend.ts";
import { explainMemoryTrend } from "#tools/load/explain-memory-trend.ts";

const mb = 1e6;
/** A sample a second. */
const over = (seconds: number, rss: (second: number) => number) =>
  Array.from({ length: seconds + 1 }, (_, second) => ({ elapsedMs: 1_000 * second, rssBytes: rss(second) }));

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
