/**
 * Fleet plans on random fleets: time and gap by size, and the search's cost against the solver's on fifty fleets of 50 devices.
 * Usage: scripts/bench/fleet-plan [--fleets N]
 */
import { parseArgs } from "node:util";
import { decideFleetPlan, defaultPlanLimits } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { evaluatePlan } from "#controller/scaling/fleet-plan/evaluate-plan.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { planBySearch } from "#controller/scaling/fleet-plan/plan-by-search.ts";
import { toPlanProblem } from "#controller/scaling/fleet-plan/plan-problem.ts";
import { randomPlanInput } from "../../test/controller/scaling/fleet-plan/random-input.ts";
import { median } from "./median.ts";

const { values } = parseArgs({ options: { fleets: { type: "string", default: "12" } } });
const fleets = Number(values.fleets);
const solver = await loadHighsSolver();
const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

for (const devices of [100, 1000, 10_000]) {
  const times: number[] = [];
  const gaps: number[] = [];
  for (const seed of seeds(fleets)) {
    const input = randomPlanInput(seed, { devices, classes: 5, maxModes: 4, steps: 15, maxUnits: 3 });
    const startedMs = performance.now();
    gaps.push(decideFleetPlan(input, solver).gap);
    times.push(performance.now() - startedMs);
  }
  console.log(
    `${devices} devices in 5 classes, 15 steps, ${fleets} fleets: median ${median(times).toFixed(0)} ms, at most ${Math.max(...times).toFixed(0)} ms; gap median ${(100 * median(gaps)).toFixed(2)} %, at most ${(100 * Math.max(...gaps)).toFixed(1)} %`,
  );
}

const above: number[] = [];
for (const seed of seeds(50)) {
  const input = randomPlanInput(seed, { devices: 50, classes: 4, maxModes: 3, steps: 15, maxUnits: 3 });
  const { costUsd } = decideFleetPlan(input, solver);
  const problem = toPlanProblem(input);
  const search = evaluatePlan(problem, planBySearch(problem, defaultPlanLimits.maxTrials));
  above.push((search?.usd ?? Number.POSITIVE_INFINITY) / costUsd - 1);
}
console.log(
  `search alone against the solver, 50 fleets of 50 devices: median ${(100 * median(above)).toFixed(2)} %, at most ${(100 * Math.max(...above)).toFixed(2)} % dearer`,
);
