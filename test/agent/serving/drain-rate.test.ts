import { expect, test } from "bun:test";
import { createDrainRate } from "#agent/serving/drain-rate.ts";

test("nothing is known before the first batch", () => {
  expect(createDrainRate().tokensPerMs()).toBeNull();
});

test("tokens over the time they took, the newest counting most", () => {
  const rate = createDrainRate();
  rate.record(100, 10);
  expect(rate.tokensPerMs()).toBe(10);
  // After a second of computing, what was before counts for half: (50 + 1,000) tokens in (5 + 1,000) ms.
  rate.record(1_000, 1_000);
  expect(rate.tokensPerMs()).toBeCloseTo(1_050 / 1_005);
});
