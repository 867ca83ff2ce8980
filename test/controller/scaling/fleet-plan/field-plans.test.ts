import { expect, test } from "bun:test";
import { decideFleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import fleet21 from "../../../fixtures/fleet-plan-21.json";
import fleet82 from "../../../fixtures/fleet-plan-82.json";
import { fieldPlanInput } from "./field-input.ts";

const solver = await loadHighsSolver();

// Instances from the field. The figures are 0.2 % above the cheapest plans that minutes of the solver found for them.
test.each([
  ["50 devices in 6 classes, an offer, a spare device", fleet21, 2.08],
  ["56 devices in 5 classes, three offers, two spare devices", fleet82, 0.0993],
])("an instance from the field: %s", (_name, input, leastUsd) => {
  const plan = decideFleetPlan(input as Parameters<typeof decideFleetPlan>[0], solver);
  expect(plan.costUsd).toBeLessThanOrEqual(leastUsd);
  expect(plan.gap).toBeLessThan(0.03);
});

test.each([3, 15, 18])("fleet %p like those: within 1 % of the bound, and the same plan again", (seed) => {
  const plan = decideFleetPlan(fieldPlanInput(seed), solver);
  expect(plan.gap).toBeLessThan(0.01);
  expect(plan.boundUsd).toBeGreaterThan(0);
  expect(decideFleetPlan(fieldPlanInput(seed), solver)).toEqual(plan);
});
