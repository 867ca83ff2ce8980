import { type Dispatch, dispatchLoad, type LoadBlocks, loadBlocksOf } from "./dispatch-load.ts";
import type { PlanProblem, PlanUnit } from "./plan-problem.ts";
import { off, type UnitSchedule, type UnitWalk, walkSchedule } from "./unit-schedule.ts";

/** Schedules of all units: by class, then by unit. */
export type FleetSchedule = readonly (readonly UnitSchedule[])[];

/** A plan with its cost and load. */
export interface EvaluatedPlan {
  readonly schedule: FleetSchedule;
  readonly walks: readonly (readonly UnitWalk[])[];
  readonly blocks: LoadBlocks;
  readonly usd: number;
  /** Rate that each block of {@link blocks} serves, by step. */
  readonly loads: readonly Float64Array[];
  readonly dispatches: readonly Readonly<Dispatch>[];
}

/** Costs a plan unit by unit and step by step; null when a schedule breaks a rule. */
export function evaluatePlan(problem: PlanProblem, schedule: FleetSchedule): EvaluatedPlan | null {
  const { classes, steps } = problem;
  const blocks = loadBlocksOf(problem);
  const carried = Array.from({ length: steps }, () => new Float64Array(blocks.blocks.length));
  const settled = Array.from({ length: steps }, () => new Float64Array(blocks.blocks.length));
  let usd = problem.fixedUsd;
  const walks: UnitWalk[][] = [];
  for (const [index, unitClass] of classes.entries()) {
    const first = blocks.firstOfClass[index] as number;
    const ofClass: UnitWalk[] = [];
    for (const [place, { start }] of (unitClass.units as readonly PlanUnit[]).entries()) {
      const own = schedule[index]?.[place] as UnitSchedule;
      const walk = walkSchedule(unitClass, start, own);
      if (walk === null) return null;
      ofClass.push(walk);
      usd += walk.usd;
      for (let step = 0; step < steps; step += 1) {
        const mode = own[step] as number;
        if (mode === off) continue;
        const block = first + mode;
        const qps = walk.carriedQps[step] as number;
        (carried[step] as Float64Array)[block] = (carried[step]?.[block] ?? 0) + qps;
        if (qps === unitClass.modes[mode]?.carriedQps) {
          (settled[step] as Float64Array)[block] = (settled[step]?.[block] ?? 0) + 1;
        }
      }
    }
    walks.push(ofClass);
  }
  const loads: Float64Array[] = [];
  const dispatches: Dispatch[] = [];
  for (let step = 0; step < steps; step += 1) {
    const load = new Float64Array(blocks.blocks.length);
    const dispatch: Dispatch = { usd: 0, shortfallQps: 0, uncoveredQps: 0 };
    dispatchLoad(problem, blocks, step, carried[step] as Float64Array, settled[step] as Float64Array, dispatch, load);
    usd += dispatch.usd;
    loads.push(load);
    dispatches.push(dispatch);
  }
  return { schedule, walks, blocks, usd, loads, dispatches };
}
