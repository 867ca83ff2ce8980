import { BestSchedules } from "#controller/scaling/fleet-plan/best-schedules.ts";
import { type ClassGraph, enterSteps, servicePlaces } from "#controller/scaling/fleet-plan/class-graph.ts";
import type { PlanClass } from "#controller/scaling/fleet-plan/plan-problem.ts";
import { off, type UnitSchedule } from "#controller/scaling/fleet-plan/unit-schedule.ts";

/** Lists the arcs that a schedule follows: the cheapest way there is when each step on it is worth more than anything else costs, and others are forbidden. */
export function traceSchedule(
  unitClass: PlanClass,
  graph: ClassGraph,
  source: number,
  schedule: UnitSchedule,
): readonly number[] {
  const steps = schedule.length;
  const places = servicePlaces(unitClass.modes.length, steps);
  const worth = 1 + graph.usd.reduce((sum, usd) => sum + usd, 0);
  const prices = new Float64Array(places.size).fill(Number.POSITIVE_INFINITY);
  prices[places.none] = 0;
  for (const [step, mode] of schedule.entries()) {
    if (mode === off) continue;
    prices[places.serve(step, mode)] = -worth;
    const entered = schedule.slice(step, step + enterSteps(unitClass));
    if (entered.every((each) => each === mode)) prices[places.enter(step, mode)] = -worth * entered.length;
  }
  const best = new BestSchedules(unitClass, graph, steps);
  best.find(prices, 1);
  return best.arcsOf(source);
}
