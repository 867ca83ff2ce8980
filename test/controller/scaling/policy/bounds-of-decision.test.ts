import { expect, test } from "bun:test";
import { boundsOf } from "#controller/scaling/policy/bounds-of-decision.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";

const decision = (given: object, triggers: number | null = null) =>
  ({
    ...{ replicas: 4, floor: 2, ceiling: 9, scaleInHeld: null, scaleOutHeld: null, ...given },
    proposals: { triggers: triggers === null ? null : { proposed: triggers } },
  }) as unknown as ScalingDecision;

test("where the rule that follows only counts, the policy's number is both", () => {
  expect(boundsOf(decision({ scaleInHeld: "paused" }, 7), 3, false)).toEqual({ minReplicas: 4, maxReplicas: 4 });
});

test.each([
  ["floor and ceiling", {}, null, 3, 2, 9],
  ["no fewer than the triggers ask for", {}, 5, 3, 5, 9],
  ["nothing is taken away while that is held", { scaleInHeld: "paused" }, null, 6, 6, 9],
  ["nothing is added while that is held", { scaleOutHeld: "paused" }, null, 6, 2, 6],
  ["more than the ceiling is on: it holds all the same", { scaleOutHeld: "paused" }, null, 12, 2, 9],
  ["fewer than the floor are on: it holds all the same", { scaleOutHeld: "paused" }, null, 1, 2, 2],
  ["triggers do not go beyond the ceiling", {}, 30, 3, 9, 9],
  ["held both ways", { scaleInHeld: "frozen", scaleOutHeld: "frozen" }, 8, 5, 5, 5],
] as const)("a plan may choose within: %s", (_name, given, triggers, current, minReplicas, maxReplicas) => {
  expect(boundsOf(decision(given, triggers), current, true)).toEqual({ minReplicas, maxReplicas });
});
