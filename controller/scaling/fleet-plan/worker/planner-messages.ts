import type { FleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { PlanRequest } from "./fleet-planner.ts";

/** From the controller to its planning process. */
export interface PlannerQuestion extends PlanRequest {
  readonly id: number;
}

/** Back: a plan, or why there is none. */
export interface PlannerAnswer {
  readonly id: number;
  readonly plan: FleetPlan | null;
  readonly failure: string | null;
}
