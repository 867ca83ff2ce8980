import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import type { Cover } from "#controller/scaling/fleet-plan/plan-problem.ts";

export interface PlanRequest {
  readonly input: FleetPlanInput;
  readonly cover: Cover;
  /** Real milliseconds that the solver may think. */
  readonly solverMs: number;
}

/** Makes fleet plans without holding up whoever asks. */
export interface FleetPlanner {
  /** Never rejects: where the solver fails or takes too long, a search makes the plan, and its reasons say so. */
  plan(request: PlanRequest): Promise<FleetPlan>;
  stop(): Promise<void>;
}
