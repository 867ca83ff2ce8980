import { expect, test } from "bun:test";
import type { SendResult } from "#tools/demo/traffic/send-embedding.ts";
import { ServiceRecord } from "#tools/demo/traffic/service-record.ts";

const ok: SendResult = { ok: true, retries: 0, refusals: 0, latencyMs: 20, servedBy: "thor-1", failure: "" };
const slow = { ...ok, latencyMs: 1001 };
const refused = { ...ok, retries: 1, refusals: 1 };
const failed = { ...ok, ok: false, latencyMs: 10_000, servedBy: null, failure: "no agent serves" };
const times = (count: number, result: SendResult) => new Array<SendResult>(count).fill(result);

test.each([
  { name: "all answered in time", results: times(20, ok), missed: 0 },
  { name: "exactly at the promise", results: times(20, { ...ok, latencyMs: 1000 }), missed: 0 },
  { name: "one of 20 late: the 95th percentile is kept", results: [...times(19, ok), slow], missed: 0 },
  { name: "two of 20 late", results: [...times(18, ok), ...times(2, slow)], missed: 1 },
  { name: "one refused, and answered later", results: [...times(19, ok), refused], missed: 1 },
  { name: "one failed", results: [...times(19, ok), failed], missed: 1 },
  { name: "one of 1000 failed: within the error budget", results: [...times(999, ok), failed], missed: 0 },
  { name: "refused for another cause than a full queue", results: [{ ...ok, retries: 3 }], missed: 0 },
])("a minute with $name", ({ results, missed }) => {
  const record = new ServiceRecord();
  for (const result of results) record.record(61_000, result);
  expect(record.summary()).toMatchObject({ requests: results.length, minutes: 1, missedMinutes: missed });
});

test("sums up the minutes", () => {
  const record = new ServiceRecord();
  record.record(59_999, ok);
  const elsewhere = { ...refused, refusals: 4, servedBy: "offer:spot" };
  for (const result of [ok, failed, refused, elsewhere]) record.record(60_000, result);
  const { p95Ms, ...counts } = record.summary();
  expect(counts).toEqual({
    ...{ requests: 5, failed: 1, refused: 2, minutes: 2, missedMinutes: 1, keptSinceMs: null },
    servedBy: { "thor-1": 3, "offer:spot": 1 },
  });
  expect(p95Ms).toBeCloseTo(20, 0);
});

test.each([
  { name: "always", missed: [], keptSinceMs: 0 },
  { name: "after trouble", missed: [0, 2], keptSinceMs: 180_000 },
  { name: "not now", missed: [1, 4], keptSinceMs: null },
])("kept since: $name", ({ missed, keptSinceMs }) => {
  const record = new ServiceRecord();
  // Answers come in any order.
  for (const minute of [4, 0, 3, 1, 2])
    record.record(minute * 60_000, missed.some((each) => each === minute) ? slow : ok);
  expect(record.summary().keptSinceMs).toBe(keptSinceMs);
});

test("nothing before the first request", () => {
  const none = { requests: 0, failed: 0, refused: 0, p95Ms: null, minutes: 0, missedMinutes: 0, keptSinceMs: null };
  expect(new ServiceRecord().summary()).toEqual({ ...none, servedBy: {} });
});
