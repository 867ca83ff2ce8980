import { describe, expect, test } from "bun:test";
import { AttemptBudget, hedgeRules, retryRules } from "#agent/mesh/routing/attempt-budget.ts";
import { LatencyEstimate } from "#agent/mesh/routing/latency-estimate.ts";
import { readLoadReport, writeLoadReport } from "#agent/mesh/routing/load-report.ts";
import { RateMeter } from "#agent/mesh/routing/rate-meter.ts";
import { UsualWork } from "#agent/mesh/routing/usual-work.ts";

describe("the latency of a backend", () => {
  test("by size of request; of a size that was not seen, the nearest", () => {
    const latency = new LatencyEstimate();
    expect(latency.expectedMs(10, 0)).toBeNull();
    latency.record(10, 5, 0);
    latency.record(1_000, 80, 0);
    expect([10, 100, 600, 5_000].map((tokens) => latency.expectedMs(tokens, 0))).toEqual([5, 5, 80, 80]);
  });

  test("rises at once and sinks slowly with each answer; a wait is forgotten in its own length, the rest in ten seconds", () => {
    const latency = new LatencyEstimate();
    latency.record(10, 10, 0);
    latency.record(10, 110, 0);
    expect(latency.expectedMs(10, 0)).toBe(60);
    latency.record(10, 10, 0);
    expect(latency.expectedMs(10, 0)).toBe(55);
    // 11 without a wait: the slow answer counted for a fiftieth of 100, the last one halved that.
    const floor = 11;
    expect(latency.expectedMs(10, 200)).toBeCloseTo((floor + (55 - floor) / Math.E) * Math.exp(-0.02), 9);
    expect(latency.expectedMs(10, 10_000)).toBeCloseTo(floor / Math.E, 9);
    const queued = new LatencyEstimate();
    queued.record(10, 10, 0);
    for (let count = 0; count < 3; count += 1) queued.record(10, 4_000, 0);
    const waits = [0, 3_000, 30_000].map((atMs) => queued.expectedMs(10, atMs) ?? 0);
    expect(waits[0]).toBeGreaterThan(3_000);
    expect(waits[1]).toBeGreaterThan(500);
    expect(waits[2]).toBeLessThan(50);
  });

  test("an old one returns to what is usual, which holds for a size that was not seen", () => {
    const latency = new LatencyEstimate();
    expect(latency.expectedMs(10, 0, 7)).toBe(7);
    latency.record(10, 5, 0);
    expect(latency.expectedMs(10, 0, 7)).toBe(5);
    expect(latency.expectedMs(10, 10_000, 7)).toBeCloseTo(7 - 2 / Math.E, 9);
    expect(latency.expectedMs(1_000, 0, 70)).toBe(70);
  });

  test("one that is slow without a queue is known to be after some answers", () => {
    const latency = new LatencyEstimate();
    for (let count = 0; count < 20; count += 1) latency.record(10, 10, 0);
    for (let count = 0; count < 150; count += 1) latency.record(10, 50, 0);
    expect(latency.expectedMs(10, 1_000)).toBeGreaterThan(40);
  });

  test("the 95th percentile of steady latencies is found within a third, and told from twenty on", () => {
    const latency = new LatencyEstimate();
    let seed = 3;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    const exponential = () => -10 * Math.log(1 - random());
    for (let index = 0; index < 19; index += 1) latency.record(10, exponential(), 0);
    expect(latency.p95Ms(10)).toBeNull();
    let sum = 0;
    for (let index = 0; index < 20_000; index += 1) {
      latency.record(10, exponential(), 0);
      if (index >= 10_000) sum += latency.p95Ms(10) as number;
    }
    // True: 10 · ln 20 = 30 ms.
    expect(sum / 10_000).toBeGreaterThan(22);
    expect(sum / 10_000).toBeLessThan(42);
  });
});

test("what a text takes at a peer that was never asked follows from its capacity and the other peers' answers", () => {
  const work = new UsualWork();
  expect(work.ms(10, 100, 0)).toBeNull();
  for (let count = 0; count < 200; count += 1) {
    work.record(10, 5, 200, 0);
    work.record(10, 10, 100, 0);
    // Two of three wait for a second, or state a hundred times their capacity.
    for (let other = 0; other < 4; other += 1) work.record(10, 1_000, 100, 0);
  }
  expect(work.ms(10, 400, 0)).toBeGreaterThan(2.2);
  expect(work.ms(10, 400, 0)).toBeLessThan(2.8);
  expect(work.ms(1_000, 400, 0)).toBeNull();
  expect(work.ms(10, 0, 0)).toBeNull();
  // While nobody answers it is forgotten: peers that were too slow are tried again.
  expect(work.ms(10, 400, 10_000)).toBeCloseTo((work.ms(10, 400, 0) ?? 0) / Math.E, 9);
});

test("a stated capacity is believed unless the shortest answers take more than four times as long as it says", () => {
  const work = new UsualWork();
  expect(work.believable(10_000, 10, 10)).toBe(10_000);
  for (let count = 0; count < 100; count += 1) work.record(10, 10, 100, 0);
  // A text's work is 1,000: 10 ms at 100 a second.
  expect(work.believable(100, 10, 10)).toBe(100);
  expect(work.believable(300, 10, 10)).toBe(300);
  expect(work.believable(10_000, 10, 10)).toBeCloseTo(400, -2);
  expect(work.believable(10_000, 10, null)).toBe(10_000);
  expect(work.believable(10_000, 10, 0)).toBe(10_000);
  expect(work.believable(10_000, 1_000, 10)).toBe(10_000);
  expect(work.believable(0, 10, 10)).toBe(0);
});

test("extra attempts are a share of the requests and a few a second, and some are there at the start", () => {
  let nowMs = 0;
  const budget = new AttemptBudget(retryRules, () => nowMs);
  const takeAll = () => {
    let taken = 0;
    while (budget.take()) taken += 1;
    return taken;
  };
  expect(takeAll()).toBe(10);
  for (let request = 0; request < 105; request += 1) budget.earn();
  expect(takeAll()).toBe(10);
  nowMs = 2_000;
  expect(takeAll()).toBe(6);
  nowMs = 1e9;
  expect(takeAll()).toBe(retryRules.max);
  expect(hedgeRules.share).toBeLessThanOrEqual(0.05);
});

test("a report of load is read as it was written; anything else is none", () => {
  const report = { queued: 3, computing: 2, capacityQps: 219.5, utilization: 0.41 };
  expect(writeLoadReport(report)).toBe("q=3;c=2;cap=219.5;w=0.41");
  for (const each of [report, { ...report, capacityQps: null }, { ...report, utilization: null }])
    expect(readLoadReport(writeLoadReport(each))).toEqual(each);
  for (const text of [null, "", "q=-1;c=0", "q=1", "q=NaN;c=1", "q=1;c=2;cap=Infinity", `q=${"9".repeat(40)};c=1`])
    expect(readLoadReport(text)).toBeNull();
});

test("a steady rate is told as it is, and fades within seconds", () => {
  let nowMs = 0;
  const meter = new RateMeter(() => nowMs);
  for (; nowMs < 20_000; nowMs += 10) meter.add(1);
  expect(meter.perS()).toBeGreaterThan(95);
  expect(meter.perS()).toBeLessThan(105);
  nowMs += 6_000;
  expect(meter.perS()).toBeLessThan(6);
});
