import { expect, test } from "bun:test";
import { createRecentWork } from "#agent/serving/batching/recent-work.ts";

test("work for smaller requests passes, the more the smaller they are; that for larger ones, or of long ago, does not", () => {
  const work = createRecentWork();
  // 2 a ms for requests of 100 tokens, 1 a ms for those of 1,000, for a minute.
  for (let ms = 0; ms < 60_000; ms += 10) {
    work.record(100, 20, ms);
    work.record(1_000, 10, ms);
  }
  expect(work.passing(100, 60_000)).toBe(0);
  expect(work.passing(1_000, 60_000)).toBeCloseTo(2 * 0.744, 1);
  expect(work.passing(1_000_000, 60_000)).toBeCloseTo(3, 1);
  expect(work.passing(1_000_000, 65_000)).toBeCloseTo(1.5, 1);
  expect(work.passing(4_000, 600_000)).toBeCloseTo(0);
});

test.each([0, 1, Number.MAX_SAFE_INTEGER])("a request of %d tokens is counted", (size) => {
  const work = createRecentWork();
  work.record(size, 10, 0);
  expect(Number.isFinite(work.passing(size, 0))).toBe(true);
});
