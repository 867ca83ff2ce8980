/**
 * Fleet plans on random fleets: CPU time and gap by size, and on fleets like those from the field.
 * Usage: scripts/bench/fleet-plan [--fleets N] [--field N]
 */
import { parseArgs } from "node:util";
import { decideFleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { fieldPlanInput } from "../../test/controller/scaling/fleet-plan/field-input.ts";
import { randomPlanInput } from "../../test/controller/scaling/fleet-plan/random-input.ts";

const { values } = parseArgs({
  options: { fleets: { type: "string", default: "12" }, field: { type: "string", default: "200" } },
});
const solver = await loadHighsSolver();

function measure(title: string, count: number, inputOf: (seed: number) => FleetPlanInput): void {
  const seconds: number[] = [];
  const gaps: number[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const input = inputOf(seed);
    const before = process.cpuUsage();
    gaps.push(100 * decideFleetPlan(input, solver).gap);
    seconds.push(process.cpuUsage(before).user / 1e6);
  }
  const at = (figures: number[], share: number) =>
    (figures.sort((a, b) => a - b)[Math.min(count - 1, Math.floor(count * share))] ?? 0).toFixed(2);
  const spread = (figures: number[]) =>
    `median ${at(figures, 0.5)}, 95 % ${at(figures, 0.95)}, at most ${at(figures, 1)}`;
  console.log(`${title}, ${count} fleets: CPU seconds ${spread(seconds)}; gap in % ${spread(gaps)}`);
}

for (const devices of [100, 1000, 10_000]) {
  measure(`${devices} devices in 5 classes, 15 steps`, Number(values.fleets), (seed) =>
    randomPlanInput(seed, { devices, classes: 5, maxModes: 4, steps: 15, maxUnits: 3 }),
  );
}
measure("30 to 60 devices in 3 to 6 classes", Number(values.field), (seed) => fieldPlanInput(seed));
