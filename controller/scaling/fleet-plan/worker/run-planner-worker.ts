import { decideFleetPlan, limitsWithin } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { describeError } from "#platform/errors.ts";
import type { PlannerAnswer, PlannerQuestion } from "./fleet-planner.ts";

/** Runs the child process that solves: answers questions until the channel to its parent closes. Resolves with the exit code. */
export async function runPlannerWorker(): Promise<number> {
  if (process.send === undefined) throw new Error("a planning process is started by a controller, not by hand");
  // A signal to the whole process group (Ctrl-C, systemd) is the parent's to act on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const ended = Promise.withResolvers<number>();
  process.on("disconnect", () => ended.resolve(0));
  const answer = async ({ id, input, cover, solverMs }: PlannerQuestion): Promise<PlannerAnswer> => {
    try {
      return {
        id,
        plan: decideFleetPlan(input, await loadHighsSolver(), limitsWithin(solverMs), cover),
        failure: null,
      };
    } catch (error) {
      return { id, plan: null, failure: describeError(error) };
    }
  };
  process.on("message", (question: PlannerQuestion) => {
    void answer(question).then((found) => process.send?.(found));
  });
  return await ended.promise;
}
