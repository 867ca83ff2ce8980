import { type ClassGraph, classGraphOf } from "#controller/scaling/fleet-plan/class-graph.ts";
import { FleetSchedule } from "#controller/scaling/fleet-plan/fleet-schedule.ts";
import {
  asksForCover,
  countUnits,
  type PlanClass,
  type PlanProblem,
} from "#controller/scaling/fleet-plan/plan-problem.ts";
import { unavoidableQps } from "#controller/scaling/fleet-plan/unavoidable-qps.ts";
import { untouchedSchedule, walkSchedule } from "#controller/scaling/fleet-plan/unit-schedule.ts";
import { addClassFlow, type ClassFlow, secureTerms } from "./class-flow.ts";
import { createMilpBuilder, type Term } from "./milp-builder.ts";
import type { Milp, MilpStart } from "./milp-solver.ts";
import { roundFlow } from "./round-flow.ts";
import { addSpareCover, levelsOf, type SpareCover } from "./spare-cover.ts";
import { traceSchedule } from "./trace-schedule.ts";

export interface PlanFlow {
  readonly milp: Milp;
  /** Returns the cost in US$ of a solution's objective value. */
  usdOf(objective: number): number;
  /** Returns plans of a solution; of one with fractions of units one that is near it, and one that lacks the units that it has no whole path for. */
  plansOf(values: readonly number[]): FleetSchedule[];
  /** Returns the whole numbers of a plan, for the solver to begin with. */
  startOf(plan: FleetSchedule): MilpStart;
}

const infinite = Number.POSITIVE_INFINITY;
/** Arcs of a program that is solved in a second or so. */
const maxArcs = 15_000;
/** Variables that tell apart what would fail; there are some for each capacity, class and mode in each step. */
const maxShares = 8_000;

/** Scale that brings the median price of serving units to 1: the solver's tolerances are meant for figures around 1. */
function priceScale({ classes, shortfallUsdPerQps }: PlanProblem): number {
  const prices = classes
    .flatMap(({ modes, offUsd }) =>
      modes.map(({ idleUsd, usdPerQps, carriedQps }) => idleUsd - offUsd + usdPerQps * carriedQps),
    )
    .filter((usd) => usd > 0)
    .sort((a, b) => a - b);
  return 1 / (prices[Math.floor(prices.length / 2)] ?? (shortfallUsdPerQps > 0 ? shortfallUsdPerQps : 1));
}

/** Expresses rates in what a typical unit carries: the solver's tolerances are meant for figures around 1, and rates may be thousandths or millions. */
function inUnits(problem: PlanProblem): PlanProblem {
  const carried = problem.classes
    .flatMap(({ modes }) => modes.map(({ carriedQps }) => carriedQps))
    .sort((a, b) => a - b);
  const unitQps = carried[Math.floor(carried.length / 2)] ?? 1;
  return {
    ...problem,
    demandQps: problem.demandQps.map((qps) => qps / unitQps),
    coverQps: problem.coverQps.map((qps) => qps / unitQps),
    shortfallUsdPerQps: problem.shortfallUsdPerQps * unitQps,
    uncoveredUsdPerQps: problem.uncoveredUsdPerQps * unitQps,
    classes: problem.classes.map((unitClass) => ({
      ...unitClass,
      modes: unitClass.modes.map((mode) => ({
        ...mode,
        carriedQps: mode.carriedQps / unitQps,
        usdPerQps: mode.usdPerQps * unitQps,
      })),
    })),
  };
}

/** Builds the graphs of all classes: larger ones than the solver can take without the steps that a unit has to stay on, which is a lower bound still. */
function graphsOf({ classes, steps }: PlanProblem): ClassGraph[] {
  const exact = classes.map((unitClass) => classGraphOf(unitClass, steps));
  const arcs = exact.reduce((sum, { from }) => sum + from.length, 0);
  return arcs <= maxArcs ? exact : classes.map((unitClass) => classGraphOf(unitClass, steps, 0));
}

function planOf(
  problem: PlanProblem,
  graphs: readonly ClassGraph[],
  flows: readonly ClassFlow[],
  values: readonly number[],
  nearest: boolean,
) {
  const plan = new FleetSchedule(problem);
  for (const [index, unitClass] of problem.classes.entries()) {
    const graph = graphs[index] as ClassGraph;
    const first = flows[index]?.firstArc as number;
    const ofClass = values.slice(first, first + graph.from.length);
    for (const { source, schedule, count } of roundFlow(unitClass, graph, problem.steps, ofClass, nearest)) {
      const start = unitClass.sources[source]?.start;
      if (start === undefined) continue;
      const keepsRules = walkSchedule(unitClass, start, schedule) !== null;
      plan.add(index, source, keepsRules ? schedule : untouchedSchedule(start, problem.steps), count);
    }
  }
  return plan;
}

/** Returns the number of units on each arc of a plan. */
function arcUnits(
  { classes }: PlanProblem,
  graphs: readonly ClassGraph[],
  flows: readonly ClassFlow[],
  plan: FleetSchedule,
) {
  const units = new Float64Array(graphs.reduce((sum, { from }) => sum + from.length, 0));
  for (const { classIndex, source, schedule, count } of plan.groups) {
    const first = flows[classIndex]?.firstArc as number;
    for (const arc of traceSchedule(
      classes[classIndex] as PlanClass,
      graphs[classIndex] as ClassGraph,
      source,
      schedule,
    )) {
      units[first + arc] = (units[first + arc] as number) + count;
    }
  }
  return units;
}

/** Builds the program: flows of units through the graphs of their classes, the load they carry, and what is left and not covered. */
export function planFlow(given: PlanProblem): PlanFlow {
  const problem = inUnits(given);
  const { classes, steps, demandQps, coverQps, spareDevices, shortfallUsdPerQps, uncoveredUsdPerQps } = problem;
  const builder = createMilpBuilder();
  const scale = priceScale(problem);
  const graphs = graphsOf(problem);
  let constantUsd = problem.fixedUsd;
  let arcs = 0;
  const flows = classes.map((unitClass, index) => {
    const graph = graphs[index] as ClassGraph;
    for (const [source, { usd }] of graph.starts.entries())
      constantUsd += (unitClass.sources[source]?.count ?? 0) * usd;
    const flow = addClassFlow(builder, unitClass, graph, steps, arcs, scale);
    arcs += graph.from.length;
    return flow;
  });
  const blocks = classes.reduce((sum, { modes }) => sum + modes.length, 0);
  const levels = spareDevices === 0 ? [] : levelsOf(problem, Math.max(1, Math.floor(maxShares / steps / blocks)));
  const covers: SpareCover[] = [];
  for (let step = 0; step < steps; step += 1) {
    // Omits unavoidable shortfall, so that the solver's gap refers to what can be chosen.
    const { shortfallQps } = unavoidableQps(problem, step);
    const demand = (demandQps[step] as number) - shortfallQps;
    constantUsd += shortfallUsdPerQps * shortfallQps;
    const left = builder.variable("real", shortfallUsdPerQps * scale, demand);
    const balance: Term[] = [[left, 1]];
    const capacity: Term[] = [[left, 1]];
    for (const [index, unitClass] of classes.entries()) {
      for (const [mode, { usdPerQps, carriedQps }] of unitClass.modes.entries()) {
        const carried = flows[index]?.steps[step]?.[mode]?.carried ?? [];
        if (carried.length === 0) continue;
        const load = builder.variable("real", usdPerQps * scale, countUnits(unitClass) * carriedQps);
        balance.push([load, 1]);
        capacity.push(...carried);
        builder.row([...carried, [load, -1]], 0, infinite);
      }
    }
    builder.row(balance, demand, demand);
    // Follows from the rows above; for the solver's cuts in one piece.
    builder.row(capacity, demand, infinite);
    if (!asksForCover(problem)) continue;
    const short = builder.variable("real", 0, shortfallQps);
    const open: Term[] = [
      [builder.variable("real", uncoveredUsdPerQps * scale, infinite), 1],
      [left, 1],
      [short, 1],
    ];
    if (spareDevices > 0) covers.push(addSpareCover(builder, problem, levels, flows, step, open));
    else builder.row([...secureTerms(classes, flows, step), ...open], coverQps[step] as number, infinite);
  }
  return {
    milp: builder.build(),
    usdOf: (objective) => constantUsd + objective / scale,
    plansOf: (values) => [true, false].map((nearest) => planOf(given, graphs, flows, values, nearest)),
    startOf: (plan) => {
      const units = arcUnits(problem, graphs, flows, plan);
      const picked = covers.flatMap((cover) => cover.pickFor(units));
      return {
        variables: [...units.keys(), ...picked.map(([variable]) => variable)],
        values: [...units, ...picked.map(([, value]) => value)],
      };
    },
  };
}
