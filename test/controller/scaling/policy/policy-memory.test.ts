import { expect, test } from "bun:test";
import { createPolicyMemory } from "#controller/scaling/policy/policy-memory.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import { hourMs } from "#platform/time.ts";

const decision = (wanted: number | null, active: boolean | null = null) =>
  ({ wanted, proposals: { triggers: active === null ? null : { active } } }) as unknown as ScalingDecision;

test("what was wanted is remembered for an hour, with its age", () => {
  const memory = createPolicyMemory();
  memory.note(0, decision(3));
  memory.note(60_000, decision(null));
  memory.note(90_000, decision(5));
  expect(memory.recall(120_000, 4).history.recommendations).toEqual([
    { agoS: 120, replicas: 3 },
    { agoS: 30, replicas: 5 },
  ]);
  expect(memory.recall(hourMs, 4).history.recommendations.length).toBe(2);
  expect(memory.recall(hourMs + 1, 4).history.recommendations).toEqual([{ agoS: 3510.001, replicas: 5 }]);
});

test("replicas that have come or gone are changes from when that was seen; the first look is none", () => {
  const memory = createPolicyMemory();
  expect(memory.recall(0, 4).history.changes).toEqual([]);
  memory.recall(1000, 6);
  memory.recall(2000, 6);
  expect(memory.recall(3000, 5).history.changes).toEqual([
    { agoS: 2, delta: 2 },
    { agoS: 0, delta: -1 },
  ]);
  expect(memory.recall(1000 + hourMs + 1, 5).history.changes).toEqual([{ agoS: 3598.001, delta: -1 }]);
});

test("the last activity of a trigger counts, and a clock set back makes nothing younger than now", () => {
  const memory = createPolicyMemory();
  expect(memory.recall(0, 1).lastActiveAgoS).toBeNull();
  memory.note(10_000, decision(1, true));
  memory.note(20_000, decision(1, false));
  memory.note(20_000, decision(1));
  expect(memory.recall(30_000, 1).lastActiveAgoS).toBe(20);
  expect(memory.recall(5000, 1).lastActiveAgoS).toBe(0);
});

test("what lies more than an hour ahead is of a clock that was set back, and is forgotten", () => {
  const memory = createPolicyMemory();
  memory.note(3 * hourMs, decision(5));
  expect(memory.recall(2 * hourMs, 4).history.recommendations.length).toBe(1);
  expect(memory.recall(2 * hourMs - 1, 4).history.recommendations).toEqual([]);
});
