import { expect, test } from "bun:test";
import { classifyReplica } from "#controller/scaling/reference/hpa/classify-replicas.ts";
import { isWithinTolerance } from "#controller/scaling/reference/hpa/proposal.ts";
import type { MetricSpec, Replica } from "#controller/scaling/reference/hpa/replica-inputs.ts";

const cpu: MetricSpec = { kind: "resource", name: "cpu", targetUtilizationPercent: 50 };
const periods = { initializationPeriodS: 120, initialReadinessDelayS: 10 };
const sample = { metric: "cpu", replica: "a", value: 1, ageS: 0, windowS: 30 };
const running: Replica = { id: "a", phase: "running", ready: true, startedAgoS: 3600, readyChangedAgoS: 3600 };

test.each([
  ["failed comes before everything", { phase: "failed" as const }, "ignored"],
  ["deleting", { phase: "deleting" as const }, "ignored"],
  ["pending", { phase: "pending" as const }, "unready"],
  ["young, ready for a whole window", { startedAgoS: 119, readyChangedAgoS: 30 }, "ready"],
  ["young, ready for less than a window", { startedAgoS: 119, readyChangedAgoS: 29 }, "unready"],
  ["young, not ready", { startedAgoS: 119, ready: false }, "unready"],
  ["as old as the period: its window is not asked", { startedAgoS: 120, readyChangedAgoS: 1 }, "ready"],
  ["old, never ready", { ready: false, startedAgoS: 600, readyChangedAgoS: 591 }, "unready"],
  ["old, not ready, changed exactly at the delay", { ready: false, startedAgoS: 600, readyChangedAgoS: 590 }, "ready"],
  ["start not known", { startedAgoS: null }, "unready"],
  ["readiness not known", { readyChangedAgoS: null }, "unready"],
] as const)("cpu: %s", (_name, change, expected) => {
  expect(classifyReplica({ ...running, ...change }, sample, cpu, periods)).toBe(expected);
});

test("without a sample it is missing, however young", () => {
  expect(classifyReplica({ ...running, startedAgoS: 0 }, undefined, cpu, periods)).toBe("missing");
});

test.each([
  { kind: "resource", name: "memory", targetAverageValue: 1 },
  { kind: "replica", name: "cpu", targetAverageValue: 1 },
] as const)("readiness does not matter to $kind $name", (metric) => {
  expect(classifyReplica({ ...running, ready: false, startedAgoS: 0 }, sample, metric, periods)).toBe("ready");
});

test.each([
  [0.9, true],
  [0.8999, false],
  [1, true],
  [1.2, true],
  [1.2001, false],
  [Number.NaN, false],
  [Number.POSITIVE_INFINITY, false],
])("a ratio of %p within 10 %% down and 20 %% up: %p", (ratio, within) => {
  expect(isWithinTolerance(ratio, { toleranceUp: 0.2, toleranceDown: 0.1 })).toBe(within);
});
