import { expect, test } from "bun:test";
import { BestSchedules } from "#controller/scaling/fleet-plan/best-schedules.ts";
import { classGraphOf, enterSteps, servicePlaces } from "#controller/scaling/fleet-plan/class-graph.ts";
import { roundFlow } from "#controller/scaling/fleet-plan/milp/round-flow.ts";
import { traceSchedule } from "#controller/scaling/fleet-plan/milp/trace-schedule.ts";
import { type PlanClass, toPlanProblem, type UnitStart } from "#controller/scaling/fleet-plan/plan-problem.ts";
import { off, walkSchedule } from "#controller/scaling/fleet-plan/unit-schedule.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { randomPlanInput } from "./random-input.ts";

const steps = 5;
const classes = Array.from({ length: 40 }, (_, seed) =>
  toPlanProblem(randomPlanInput(seed + 1, { devices: 12, classes: 2, maxModes: 2, steps, maxUnits: 2 })),
).flatMap((problem) => problem.classes);

/** All schedules of `steps` steps in `modes` modes. */
function allSchedules(modes: number): number[][] {
  let schedules: number[][] = [[]];
  for (let step = 0; step < steps; step += 1) {
    schedules = schedules.flatMap((begun) => Array.from({ length: modes + 1 }, (_, mode) => [...begun, mode + off]));
  }
  return schedules;
}

test("the cheapest way through the graph is the cheapest of all schedules that keep the rules, whatever serving is worth", () => {
  const random = seededRandom(5);
  for (const unitClass of classes) {
    const { modes, sources, switchLoss } = unitClass;
    const places = servicePlaces(modes.length, steps);
    const worth = modes.map(() => Array.from({ length: steps }, () => -0.02 * random()));
    const worthAt = (step: number, mode: number, loss: number) => (worth[mode]?.[step] ?? 0) * (1 - loss);
    const prices = new Float64Array(places.size);
    for (let step = 0; step < steps; step += 1) {
      for (const mode of modes.keys()) {
        prices[places.serve(step, mode)] = worthAt(step, mode, 0);
        for (let ago = 0; ago < enterSteps(unitClass); ago += 1) {
          prices[places.enter(step, mode)]! += worthAt(step + ago, mode, switchLoss[ago] ?? 0);
        }
      }
    }
    const best = new BestSchedules(unitClass, classGraphOf(unitClass, steps), steps);
    best.find(prices, 1);
    const usdOf = (start: UnitStart, schedule: readonly number[]) => {
      const walk = walkSchedule(unitClass, start, schedule);
      if (walk === null) return Number.POSITIVE_INFINITY;
      return schedule.reduce((usd, mode, step) => {
        if (mode === off) return usd;
        return usd + worthAt(step, mode, 1 - walk.carriedQps[step]! / modes[mode]!.carriedQps);
      }, walk.usd);
    };
    for (const [source, { start }] of sources.entries()) {
      const least = Math.min(...allSchedules(modes.length).map((schedule) => usdOf(start, schedule)));
      const before = best.graph.starts[source]!.usd;
      expect(before + best.usdOf(source)).toBeCloseTo(least, 9);
      expect(usdOf(start, best.scheduleOf(source))).toBeCloseTo(least, 9);
    }
  }
});

test("each schedule that keeps the rules is a path, and whole units on paths are split into schedules again", () => {
  const count = ({ sources }: PlanClass) => sources.map((source) => source.count);
  for (const unitClass of classes) {
    const graph = classGraphOf(unitClass, steps);
    const units = new Float64Array(graph.from.length);
    for (const [source, { start, count: ofSource }] of unitClass.sources.entries()) {
      const kept = allSchedules(unitClass.modes.length).filter((each) => walkSchedule(unitClass, start, each) !== null);
      for (let unit = 0; unit < ofSource; unit += 1) {
        const schedule = kept[(7 * unit + source) % kept.length] as number[];
        for (const arc of traceSchedule(unitClass, graph, source, schedule)) units[arc]! += 1;
      }
    }
    const paths = roundFlow(unitClass, graph, steps, units, false);
    const split = unitClass.sources.map((_, source) =>
      paths.reduce((sum, path) => sum + (path.source === source ? path.count : 0), 0),
    );
    expect(split).toEqual(count(unitClass));
    for (const { source, schedule } of paths) {
      expect(walkSchedule(unitClass, unitClass.sources[source]!.start, schedule)).not.toBeNull();
    }
  }
});
