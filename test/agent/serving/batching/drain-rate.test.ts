import { expect, test } from "bun:test";
import { createDrainRate, workingMs } from "#agent/serving/batching/drain-rate.ts";

test("nothing is known before the first batch", () => {
  expect(createDrainRate().costPerMs()).toBeNull();
});

test("tokens over the time they took, the newest counting most", () => {
  const rate = createDrainRate();
  rate.record(100, 10);
  expect(rate.costPerMs()).toBe(10);
  // After a second of computing, what was before counts for half: (50 + 1,000) tokens in (5 + 1,000) ms.
  rate.record(1_000, 1_000);
  expect(rate.costPerMs()).toBeCloseTo(1_050 / 1_005);
});

test.each([
  { name: "a batch after another", elapsedMs: 12, computeMs: 10, ms: 12 },
  { name: "two processes take turns", elapsedMs: 5, computeMs: 10, ms: 5 },
  { name: "the first waited for the model to be loaded", elapsedMs: 2_500, computeMs: 10, ms: 40 },
  { name: "nothing is known of the computing", elapsedMs: 100, computeMs: 0, ms: 20 },
])("of the time since the batch before counts: $name", ({ elapsedMs, computeMs, ms }) => {
  expect(workingMs(elapsedMs, computeMs)).toBe(ms);
});
