import type { PlanClass, PlanProblem, UnitStart } from "./plan-problem.ts";

const largestQps = ({ modes }: PlanClass) => Math.max(...modes.map(({ carriedQps }) => carriedQps));

/** Number of units of a class that could serve in a step if everything were started at once. */
function couldServe({ sources, startupSteps }: PlanClass, step: number): number {
  const servesBy = (start: UnitStart) => {
    if (start.kind === "on") return 0;
    return start.kind === "starting" ? start.arrivesAt : start.stays + startupSteps;
  };
  return sources.reduce((sum, { start, count }) => sum + (servesBy(start) <= step ? count : 0), 0);
}

/** Returns the rate that is missing in a step whatever the plan: without and with the largest spare devices out. */
export function unavoidableQps(
  { classes, demandQps, coverQps, spareDevices }: PlanProblem,
  step: number,
): { shortfallQps: number; uncoveredQps: number } {
  const demand = demandQps[step] as number;
  let maxQps = 0;
  let failingQps = 0;
  let spare = spareDevices;
  for (const unitClass of classes.toSorted((a, b) => largestQps(b) - largestQps(a))) {
    const units = couldServe(unitClass, step);
    maxQps += units * largestQps(unitClass);
    if (unitClass.kind !== "device") continue;
    const failing = Math.min(spare, units);
    failingQps += failing * largestQps(unitClass);
    spare -= failing;
  }
  return {
    shortfallQps: Math.max(0, demand - maxQps),
    uncoveredQps: Math.max(0, (coverQps[step] as number) - Math.max(0, maxQps - failingQps)),
  };
}
