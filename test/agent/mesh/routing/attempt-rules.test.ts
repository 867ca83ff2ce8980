import { describe, expect, test } from "bun:test";
import { attemptMs, hedgeAfterMs, maxWaitMs, mayHedge } from "#agent/mesh/routing/attempt-rules.ts";
import type { PassedOver, RouteDecision, RouteRule } from "#agent/mesh/routing/decide-route.ts";
import { isQueueTooLong } from "#agent/mesh/routing/load-report.ts";

const chosen = (rule: RouteRule, other: PassedOver = "fuller"): RouteDecision => ({
  ...{ kind: "route", rule, backend: "a", usdPerRequest: 0, expectedMs: 1, equals: other === "fuller" ? 1 : 0 },
  passedOver: { b: other },
});
const refused: RouteDecision = { kind: "refuse", rule: "none-left", passedOver: {} };

test.each([
  [10_000, 20, true, 500],
  [10_000, 100, true, 800],
  [300, 100, true, 300],
  [10_000, 100, false, 10_000],
  [10_000, null, true, 10_000],
])("of %d ms left, where %p are usual and others left: %p, an attempt gets %d", (leftMs, usualMs, others, given) => {
  expect(attemptMs(leftMs, usualMs, others)).toBe(given);
});

test("a second backend is asked after the usual time, not where all are busy, and only one with room", () => {
  expect(hedgeAfterMs(chosen("cheapest"), 12)).toBe(12);
  expect(hedgeAfterMs(chosen("cheapest"), 0.2)).toBe(1);
  expect(hedgeAfterMs(chosen("cheapest"), null)).toBeNull();
  expect(hedgeAfterMs(chosen("all-busy"), 12)).toBeNull();
  expect(hedgeAfterMs(refused, 12)).toBeNull();
  expect(mayHedge(chosen("soonest"), 0.69)).toBe(true);
  expect(mayHedge(chosen("soonest"), 0.7)).toBe(false);
  expect(mayHedge(chosen("all-busy"), 0)).toBe(false);
  expect(mayHedge(refused, 0)).toBe(false);
});

describe("the wait at a peer", () => {
  test.each([
    [0, 4],
    [1, 4],
    [2, 5],
    [3, 5],
    [4, 6],
    [5, 7.5],
    [6, 12],
    [7, null],
  ])("after %d refusals may be %p ms of 60", (refusals, waitMs) => {
    expect(maxWaitMs(chosen("less-loaded"), refusals, 60)).toBe(waitMs);
  });

  test("is not limited where no other costs the same", () => {
    expect(maxWaitMs(chosen("cheapest", "dearer"), 0, 50)).toBeNull();
    expect(maxWaitMs(refused, 0, 50)).toBeNull();
    expect(maxWaitMs(chosen("all-busy"), 0, 60)).toBe(4);
  });

  test.each([
    [undefined, 100, 100, false],
    [5, 0, 100, false],
    [0.001, 0, 100, false],
    [5, 1, 100, true],
    [10, 1, 100, false],
    [9.999, 1, 100, true],
    [5, 1, null, false],
    [5, 1, 0, true],
  ])("%p with %p queued at %p a second is too long: %p", (maxWaitMs, queued, capacityQps, isTooLong) => {
    expect(isQueueTooLong(maxWaitMs, { queued, capacityQps, computing: 0, utilization: null })).toBe(isTooLong);
  });
});
