import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { BestSchedules } from "./best-schedules.ts";
import { classGraphOf } from "./class-graph.ts";
import { FleetSchedule, type UnitGroup } from "./fleet-schedule.ts";
import { countUnits, type PlanProblem } from "./plan-problem.ts";
import { untouchedSchedule } from "./unit-schedule.ts";

/** Share of the cost below which a saving is rounding. */
const negligibleShare = 1e-10;

/** Share by which a plan may get more expensive at first, to get away from one that no small change makes cheaper. */
const firstDearer = 0.005;
/** Shakes without a better plan, for each unit, after which there hardly is one. */
const maxIdleShakes = 300;

/** Share of the shakes that place units at prices that are wrong by up to themselves: the right ones lead to the same places again and again. */
const noisyShare = 0.5;
const noNoise = () => 1;

/** Improves a plan by giving units, a few at a time, the cheapest of all schedules there are for them while the others keep theirs. */
export class PlanSearch {
  readonly #problem: PlanProblem;
  readonly #best: readonly BestSchedules[];
  readonly #tables: readonly Float64Array[];
  /** Arcs visited so far. */
  #work = 0;

  constructor(problem: PlanProblem) {
    const { classes, steps } = problem;
    this.#problem = problem;
    this.#best = classes.map((unitClass) => new BestSchedules(unitClass, classGraphOf(unitClass, steps), steps));
    this.#tables = classes.map(({ modes }) => new Float64Array(2 * modes.length * steps + 1));
  }

  /** Returns the plan in which everything stays as it is. */
  #untouched(): FleetSchedule {
    const plan = new FleetSchedule(this.#problem);
    for (const [classIndex, { sources }] of this.#problem.classes.entries()) {
      for (const [source, { start, count }] of sources.entries()) {
        plan.add(classIndex, source, untouchedSchedule(start, this.#problem.steps), count);
      }
    }
    return plan;
  }

  /**
   * Improves the best of some plans and of what it is like when everything stays as it is. Returns one of at most `goodUsd`, or the best that
   * some `maxWork` arcs were enough for. Units that a plan lacks are added.
   */
  improve(plans: readonly FleetSchedule[], maxWork: number, goodUsd: number): FleetSchedule {
    const end = this.#work + maxWork;
    let best: FleetSchedule | null = null;
    for (const plan of [...plans, this.#untouched()]) {
      this.#complete(plan);
      if (plan.usd > goodUsd) this.#descend(plan, end);
      if (best === null || plan.usd < best.usd) best = plan;
      if (best.usd <= goodUsd) return best;
    }
    return this.#shake(best as FleetSchedule, end, goodUsd);
  }

  /** Places units that a plan lacks, one by one. */
  #complete(plan: FleetSchedule): void {
    const lacking = this.#problem.classes.map(({ sources }) => sources.map(({ count }) => count));
    for (const { classIndex, source, count } of plan.groups) {
      const ofClass = lacking[classIndex] as number[];
      ofClass[source] = (ofClass[source] as number) - count;
    }
    for (const [classIndex, ofClass] of lacking.entries()) {
      for (const [source, count] of ofClass.entries()) {
        for (let left = count; left > 0; left -= 1) this.#place(plan, classIndex, source, 1);
      }
    }
  }

  /** Adds `count` units of a source on the cheapest schedule there is for them. */
  #place(plan: FleetSchedule, classIndex: number, source: number, count: number, noise = noNoise): UnitGroup {
    const best = this.#best[classIndex] as BestSchedules;
    const table = this.#tables[classIndex] as Float64Array;
    plan.load.priceService(classIndex, count, table);
    if (noise !== noNoise)
      for (let place = 0; place < table.length; place += 1) table[place] = (table[place] as number) * noise();
    best.find(table, count);
    this.#work += best.graph.from.length + 10 * table.length;
    return plan.add(classIndex, source, best.scheduleOf(source), count);
  }

  /** Gives groups better schedules until none is left that saves, or the work is used up. */
  #descend(plan: FleetSchedule, maxWork: number): void {
    let size = Math.max(1, ...plan.groups.map(({ count }) => count));
    let usd = plan.usd;
    while (this.#work < maxWork) {
      let saved = false;
      for (const group of plan.groups) {
        if (this.#work >= maxWork) break;
        const { classIndex, source, schedule } = group;
        const count = Math.min(size, group.count);
        plan.add(classIndex, source, schedule, -count);
        const placed = this.#place(plan, classIndex, source, count);
        const now = plan.usd;
        if (now < usd * (1 - negligibleShare)) {
          usd = now;
          saved = true;
        } else if (placed.schedule.join() !== schedule.join()) {
          plan.add(classIndex, source, placed.schedule, -count);
          plan.add(classIndex, source, schedule, count);
        }
      }
      if (saved) continue;
      if (size === 1) return;
      size = Math.ceil(size / 2);
    }
  }

  /** Takes a few units out and places them anew, in another order, again and again. What gets a little more expensive is kept, too, at first. */
  #shake(plan: FleetSchedule, end: number, goodUsd: number): FleetSchedule {
    const random = seededRandom(1);
    const units = this.#problem.classes.reduce((sum, each) => sum + countUnits(each), 0);
    const begin = this.#work;
    let best = plan.copy();
    let bestUsd = best.usd;
    let usd = bestUsd;
    for (let idle = 0; this.#work < end && bestUsd > goodUsd && idle < maxIdleShakes * units; idle += 1) {
      const dearer = firstDearer * (1 - (this.#work - begin) / (end - begin));
      const taken = this.#take(plan, Math.min(units, 2 + Math.floor(4 * random())), random);
      const noise = random() < noisyShare ? () => 2 * random() : noNoise;
      const placed = taken.map(({ classIndex, source }) => this.#place(plan, classIndex, source, 1, noise));
      const now = plan.usd;
      if (now > Math.max(usd, bestUsd * (1 + dearer))) {
        for (const { classIndex, source, schedule } of placed) plan.add(classIndex, source, schedule, -1);
        for (const { classIndex, source, schedule } of taken) plan.add(classIndex, source, schedule, 1);
        continue;
      }
      usd = now;
      if (now >= bestUsd * (1 - negligibleShare)) continue;
      best = plan.copy();
      bestUsd = best.usd;
      idle = 0;
    }
    return best;
  }

  /** Takes single units out, of groups picked at random. */
  #take(plan: FleetSchedule, size: number, random: () => number): UnitGroup[] {
    return Array.from({ length: size }, () => {
      const { groups } = plan;
      const group = groups[Math.floor(random() * groups.length)] as UnitGroup;
      plan.add(group.classIndex, group.source, group.schedule, -1);
      return group;
    });
  }
}
