import { expect, test } from "bun:test";
import { sendPhaseMs, sendSpreadMs } from "#agent/telemetry/send-phase.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

test("each agent has a time of its own, and a fleet fills the stretch evenly", () => {
  expect(sendPhaseMs("thor-1")).toBe(sendPhaseMs("thor-1"));
  const phases = Array.from({ length: 6_000 }, (_, index) => sendPhaseMs(`thor-${index}`));
  const perSecond = Array.from({ length: 6 }, (_, s) => phases.filter((ms) => Math.floor(ms / 1000) === s).length);
  expect(Math.min(...perSecond)).toBeGreaterThan(850);
  expect(Math.max(...perSecond)).toBeLessThan(1_150);
  expect(sendPhaseMs("thor-1", 0)).toBe(0);
});

test("all have sent when a controller decides", () => {
  expect(sendSpreadMs).toBeLessThan(parseConfig(ScalingConfig, {}, "test").offsetMs);
});
