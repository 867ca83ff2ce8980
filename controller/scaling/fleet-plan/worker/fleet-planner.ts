import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import type { Cover } from "#controller/scaling/fleet-plan/plan-problem.ts";

export interface PlanRequest {
  readonly input: FleetPlanInput;
  readonly cover: Cover;
  /** Real milliseconds that the solver may take. */
  readonly solverMs: number;
}

/** Makes fleet plans without blocking the caller. */
export interface FleetPlanner {
  /** Makes a plan. Never rejects: where the solver fails or takes too long, a search makes the plan, and its method says so. */
  plan(request: PlanRequest): Promise<FleetPlan>;
  stop(): Promise<void>;
}

/** Message from the controller to its planning process. */
export interface PlannerQuestion extends PlanRequest {
  readonly id: number;
}

/** Message back: a plan, or why there is none. */
export interface PlannerAnswer {
  readonly id: number;
  readonly plan: FleetPlan | null;
  readonly failure: string | null;
}
