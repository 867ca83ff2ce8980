import { expect, test } from "bun:test";
import { createRecentTraffic } from "#agent/serving/batching/recent-traffic.ts";

const s = 1000;

test.each([
  { name: "nothing yet", records: [], at: 10 * s, p95: null, qps: 0 },
  { name: "ten in ten seconds", records: new Array(10).fill([18, 5 * s]), at: 10 * s, p95: 20, qps: 1 },
  { name: "less than a second is counted as one", records: [[18, 100]], at: 200, p95: 20, qps: 1 },
  { name: "the minute before still counts", records: [[18, 50 * s]], at: 100 * s, p95: 20, qps: 0.01 },
  { name: "older minutes do not", records: [[18, 50 * s]], at: 190 * s, p95: null, qps: 0 },
])("$name", ({ records, at, p95, qps }) => {
  const recent = createRecentTraffic(0);
  for (const [latencyMs, atMs] of records) recent.record(latencyMs, atMs);
  const summary = recent.summary(at);
  if (p95 === null) expect(summary.latencyP95Ms).toBeNull();
  else expect(Math.ceil(summary.latencyP95Ms!)).toBe(p95);
  expect(summary.throughputQps).toBeCloseTo(qps, 6);
});
