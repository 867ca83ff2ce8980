import { expect, test } from "bun:test";
import { type Aftermath, decideAftermath } from "#controller/scaling/why/decide-aftermath.ts";
import { explainAftermath } from "#controller/scaling/why/explain-aftermath.ts";
import { minuteMs } from "#platform/time.ts";

const atMs = 1000 * minuteMs - 20_000;
const startMs = 1000 * minuteMs;
const after = (rates: readonly number[]) =>
  rates.map((qps, index) => ({ minuteStartMs: startMs + index * minuteMs, qps }));
const over = startMs + 4 * minuteMs;

test.each<[string, unknown, readonly number[], number, Aftermath["rule"], string]>([
  ["as believed", 100, [80, 119], over, "as-believed", "about as forecast"],
  ["just within a fifth", 100, [120], over, "as-believed", "120 came"],
  ["more", 100, [90, 121, 50], over, "more", "more than forecast by 21 %"],
  ["more, before its time is over", 100, [150], startMs + minuteMs, "more", "more than forecast by 50 %"],
  ["less", 100, [79, 20], over, "less", "at most 79 came within 3 minutes: less than forecast by 21 %"],
  ["less so far", 100, [20], over - 1, "going-on", "20 came so far"],
  ["nothing yet", 100, [], startMs, "going-on", "no minute since then is on record yet"],
  ["nothing on record", 100, [], over, "unknown", "none of the 3 minutes after it are on record"],
  ["a difference within noise", 0.2, [1.1], over, "as-believed", "about as forecast"],
  ["nothing believed, much came", 0, [40], over, "more", "40 came within 3 minutes: more than forecast"],
  ["nothing to compare", undefined, [40], over, "unknown", "not based on a peak"],
  ["a figure that is none", Number.NaN, [40], over, "unknown", "not based on a peak"],
])("%s", (_, peakQps, rates, nowMs, rule, says) => {
  const found = decideAftermath({ atMs, inputs: { peakQps } }, after(rates), 3, nowMs);
  expect(found).toMatchObject({ rule, startMs, endMs: startMs + 3 * minuteMs });
  expect(explainAftermath(found)).toContain(says);
});

test("minutes before the decision, and after its time, say nothing of it", () => {
  const minutes = [
    { minuteStartMs: startMs - minuteMs, qps: 500 },
    { minuteStartMs: startMs, qps: 100 },
    { minuteStartMs: startMs + 3 * minuteMs, qps: 900 },
  ];
  expect(decideAftermath({ atMs, inputs: { peakQps: 100 } }, minutes, 3, over).actualPeakQps).toBe(100);
});
