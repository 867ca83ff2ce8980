import type { Dispatch, LoadBlocks } from "./dispatch-load.ts";
import type { FleetSchedule, UnitGroup } from "./fleet-schedule.ts";
import type { PlanProblem } from "./plan-problem.ts";
import { off, type UnitSchedule } from "./unit-schedule.ts";

/** Units with the same past and the same schedule; `ids` are those of its devices. */
export interface PlannedGroup extends UnitGroup {
  readonly ids: readonly string[];
}

/** A plan with its cost and load, its devices named. */
export interface EvaluatedPlan {
  readonly groups: readonly PlannedGroup[];
  readonly blocks: LoadBlocks;
  readonly usd: number;
  /** Rate that each block of {@link blocks} serves, by step. */
  readonly loads: readonly Float64Array[];
  readonly dispatches: readonly Readonly<Dispatch>[];
}

/** Orders schedules: the one that serves first, and in the higher of the modes, comes first. */
function byService(a: UnitSchedule, b: UnitSchedule): number {
  const step = a.findIndex((mode, at) => mode !== b[at]);
  const [first, second] = [a[step] ?? off, b[step] ?? off];
  return first === off || second === off ? second - first : first - second;
}

/** Costs a plan anew, group by group and step by step, and hands its schedules to single devices: those of a source are alike, so the first come first. */
export function evaluatePlan(problem: PlanProblem, found: FleetSchedule): EvaluatedPlan {
  const schedule = found.copy();
  const { blocks } = schedule.load;
  const loads: Float64Array[] = [];
  const dispatches: Dispatch[] = [];
  for (let step = 0; step < problem.steps; step += 1) {
    const load = new Float64Array(blocks.blocks.length);
    dispatches.push(schedule.load.dispatchAt(step, load));
    loads.push(load);
  }
  const handedOut = problem.classes.map(({ sources }) => sources.map(() => 0));
  const groups = schedule.groups
    .toSorted((a, b) => a.classIndex - b.classIndex || a.source - b.source || byService(a.schedule, b.schedule))
    .map((group): PlannedGroup => {
      const { classIndex, source, count } = group;
      const ofClass = handedOut[classIndex] as number[];
      const first = ofClass[source] as number;
      ofClass[source] = first + count;
      return { ...group, ids: problem.classes[classIndex]?.sources[source]?.ids.slice(first, first + count) ?? [] };
    });
  return { groups, blocks, usd: schedule.usd, loads, dispatches };
}
