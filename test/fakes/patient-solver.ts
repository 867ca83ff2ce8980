import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import type { MilpSolver } from "#controller/scaling/fleet-plan/milp/milp-solver.ts";
import { slowdown } from "./machine-speed.ts";

/** Loads the solver, with time limits that give a busy machine as much work as an idle one. */
export async function loadPatientSolver(): Promise<MilpSolver> {
  const solver = await loadHighsSolver();
  let slow = { times: slowdown(), measuredAtMs: performance.now() };
  return {
    solve(problem, limits) {
      const nowMs = performance.now();
      if (nowMs - slow.measuredAtMs > 5_000) slow = { times: slowdown(), measuredAtMs: nowMs };
      return solver.solve(problem, { ...limits, timeLimitS: limits.timeLimitS * slow.times });
    },
  };
}
