import { FleetLoad } from "./fleet-load.ts";
import type { PlanClass, PlanProblem } from "./plan-problem.ts";
import { type UnitSchedule, type UnitWalk, walkSchedule } from "./unit-schedule.ts";

/** Units of one source that follow the same schedule. */
export interface UnitGroup {
  readonly classIndex: number;
  readonly source: number;
  readonly schedule: UnitSchedule;
  readonly walk: UnitWalk;
  readonly count: number;
}

const keyOf = (classIndex: number, source: number, schedule: UnitSchedule) =>
  `${classIndex}|${source}|${schedule.join()}`;

/** A plan that is being changed: groups of units, and what their load costs. */
export class FleetSchedule {
  readonly load: FleetLoad;
  readonly #problem: PlanProblem;
  readonly #groups = new Map<string, UnitGroup>();
  #unitsUsd: number;

  constructor(problem: PlanProblem) {
    this.#problem = problem;
    this.load = new FleetLoad(problem);
    this.#unitsUsd = problem.fixedUsd;
  }

  get groups(): readonly UnitGroup[] {
    return [...this.#groups.values()];
  }

  get usd(): number {
    return this.#unitsUsd + this.load.usd;
  }

  /** Adds units; a negative count takes them away. */
  add(classIndex: number, source: number, schedule: UnitSchedule, count: number): UnitGroup {
    const key = keyOf(classIndex, source, schedule);
    const before = this.#groups.get(key);
    const walk = before?.walk ?? this.#walk(classIndex, source, schedule);
    const group = { classIndex, source, schedule, walk, count: (before?.count ?? 0) + count };
    if (group.count === 0) this.#groups.delete(key);
    else this.#groups.set(key, group);
    this.#unitsUsd += count * walk.usd;
    this.load.add(classIndex, schedule, walk.carriedQps, count);
    return group;
  }

  /** Returns a plan of its own with the same groups, its figures summed anew. */
  copy(): FleetSchedule {
    const copy = new FleetSchedule(this.#problem);
    for (const { classIndex, source, schedule, count } of this.groups) copy.add(classIndex, source, schedule, count);
    return copy;
  }

  #walk(classIndex: number, source: number, schedule: UnitSchedule): UnitWalk {
    const unitClass = this.#problem.classes[classIndex] as PlanClass;
    const start = unitClass.sources[source]?.start;
    const walk = start === undefined ? null : walkSchedule(unitClass, start, schedule);
    if (walk === null) throw new Error(`an impossible schedule: ${schedule.join()}. This is a bug.`);
    return walk;
  }
}
