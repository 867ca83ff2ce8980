import { loadBlocksOf } from "#controller/scaling/fleet-plan/dispatch-load.ts";
import {
  asksForCover,
  type PlanClass,
  type PlanMode,
  type PlanProblem,
  type UnitStart,
} from "#controller/scaling/fleet-plan/plan-problem.ts";
import { createMilpBuilder, type MilpBuilder, type Term } from "./milp-builder.ts";
import type { Milp } from "./milp-solver.ts";

/** Numbers of units of a class by what they do, step by step. */
export interface ClassCounts {
  /** Units that serve, by mode and step. */
  readonly on: readonly (readonly number[])[];
  /** Ordered units that begin to serve in a step; those that were starting before are not counted. */
  readonly arrivals: readonly number[];
}

export interface PlanMilp {
  readonly milp: Milp;
  /** Returns the cost in US$ of a solution's objective value. */
  usdOf(objective: number): number;
  countsOf(values: readonly number[]): ClassCounts[];
}

const infinite = Number.POSITIVE_INFINITY;
const range = (from: number, below: number) => Array.from({ length: Math.max(0, below - from) }, (_, i) => from + i);
const countUnits = ({ units }: PlanClass, matches: (start: UnitStart) => boolean) =>
  units.reduce((count, { start }) => count + (matches(start) ? 1 : 0), 0);
const largestQps = ({ modes }: PlanClass) => Math.max(...modes.map(({ carriedQps }) => carriedQps));

/** Number of units of a class that could serve in a step if everything were started at once. */
function couldServe(unitClass: PlanClass, step: number): number {
  return countUnits(unitClass, (start) => {
    if (start.kind === "on") return true;
    return (start.kind === "starting" ? start.arrivesAt : start.stays + unitClass.startupSteps) <= step;
  });
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

interface ClassVariables {
  /** Variables by mode and step. */
  readonly on: readonly (readonly number[])[];
  readonly switchedIn: readonly (readonly number[])[];
  /** Variables by step. */
  readonly arrivals: readonly number[];
}

/** Adds the variables and rows by which a class's units come, go and change their mode. */
function addClass(builder: MilpBuilder, unitClass: PlanClass, steps: number, scale: number): ClassVariables {
  const { modes, units, startupSteps, switchLoss, offUsd } = unitClass;
  const minOnSteps = Math.max(1, unitClass.minOnSteps);
  // A unit that stops is off for at least one step; a start that takes steps implies that.
  const minOffSteps = Math.max(startupSteps === 0 ? 1 : 0, unitClass.minOffSteps);
  const all = range(0, steps);
  const maxUnits = units.length;
  const on = modes.map(({ idleUsd }) => all.map(() => builder.variable("whole", (idleUsd - offUsd) * scale, maxUnits)));
  const arrivedIn = modes.map(() => all.map(() => builder.variable("real", 0, maxUnits)));
  const switchedIn = modes.map(({ switchUsd }) => all.map(() => builder.variable("real", switchUsd * scale, maxUnits)));
  const orderUsd = unitClass.startUsd + startupSteps * (unitClass.startingUsd - offUsd);
  const arrivals = all.map((step) => builder.variable("whole", orderUsd * scale, step < startupSteps ? 0 : maxUnits));
  const stops = all.map(() => builder.variable("whole", 0, maxUnits));
  const comesAt = all.map((step) => countUnits(unitClass, (s) => s.kind === "starting" && s.arrivesAt === step));
  const onBefore = countUnits(unitClass, ({ kind }) => kind === "on");
  const at = (variables: readonly number[], step: number) => variables[step] as number;
  const sumOn = (step: number, factor: number): Term[] => on.map((variables) => [at(variables, step), factor]);

  for (const step of all) {
    const comes = comesAt[step] as number;
    builder.row(
      [...arrivedIn.map((variables): Term => [at(variables, step), 1]), [at(arrivals, step), -1]],
      comes,
      comes,
    );
    // Serving = serving before + arrivals - stops.
    const before = step === 0 ? onBefore + comes : comes;
    const previous = step === 0 ? [] : sumOn(step - 1, -1);
    builder.row([...sumOn(step, 1), ...previous, [at(arrivals, step), -1], [at(stops, step), 1]], before, before);

    const staysOn = countUnits(unitClass, (s) => s.kind === "on" && s.stays > step);
    const recent = range(Math.max(0, step - minOnSteps + 1), step + 1);
    const recentComes = recent.reduce((sum, each) => sum + (comesAt[each] as number), 0);
    builder.row(
      [...sumOn(step, 1), ...recent.map((each): Term => [at(arrivals, each), -1])],
      staysOn + recentComes,
      infinite,
    );

    const notYet = countUnits(unitClass, (s) => s.kind === "starting" && s.arrivesAt > step);
    const staysOff = countUnits(unitClass, (s) => s.kind === "off" && s.stays > step);
    builder.row(
      [
        ...sumOn(step, 1),
        ...range(step + 1, Math.min(steps, step + startupSteps + 1)).map((each): Term => [at(arrivals, each), 1]),
        ...range(Math.max(0, step - minOffSteps + 1), step + 1).map((each): Term => [at(stops, each), 1]),
      ],
      -infinite,
      maxUnits - notYet - staysOff,
    );

    for (const mode of modes.keys()) {
      const serving = on[mode] as number[];
      const switched = switchedIn[mode] as number[];
      const had = step === 0 ? countUnits(unitClass, (s) => s.kind === "on" && s.mode === mode) : 0;
      const terms: Term[] = [
        [at(switched, step), 1],
        [at(serving, step), -1],
        [at(arrivedIn[mode] as number[], step), 1],
      ];
      if (step > 0) terms.push([at(serving, step - 1), 1]);
      builder.row(terms, -had, infinite);
      // A unit in the middle of a switch stays.
      if (switchLoss.length > 0)
        builder.row(settledTerms(unitClass, { on, switchedIn, arrivals }, mode, step), 0, infinite);
    }
  }
  return { on, switchedIn, arrivals };
}

/** Terms of the rate that a mode's units carry in a step, less the loss by switches. */
function carriedTerms(unitClass: PlanClass, variables: ClassVariables, mode: number, step: number): Term[] {
  const { carriedQps } = unitClass.modes[mode] as PlanMode;
  const switched = variables.switchedIn[mode] as readonly number[];
  return [
    [(variables.on[mode] as readonly number[])[step] as number, carriedQps],
    ...unitClass.switchLoss.flatMap((loss, ago): Term[] =>
      step - ago < 0 ? [] : [[switched[step - ago] as number, -loss * carriedQps]],
    ),
  ];
}

/** Terms of the units in a mode that are not in the middle of a switch. */
function settledTerms(unitClass: PlanClass, variables: ClassVariables, mode: number, step: number): Term[] {
  const switched = variables.switchedIn[mode] as readonly number[];
  const recent = range(Math.max(0, step - unitClass.switchLoss.length + 1), step + 1);
  return [
    [(variables.on[mode] as readonly number[])[step] as number, 1],
    ...(unitClass.switchLoss.length === 0 ? [] : recent.map((each): Term => [switched[each] as number, -1])),
  ];
}

/**
 * Terms of the rate that the largest `spareDevices` serving devices carry. With capacities c1 > c2 > …, it is the sum of (c_l - c_l+1) ×
 * min(spare, devices of c_l or more), and the minimum needs a yes-or-no variable for each capacity.
 */
function spareTerms(builder: MilpBuilder, problem: PlanProblem, all: readonly ClassVariables[], step: number): Term[] {
  const { blocks, largestFirst } = loadBlocksOf(problem);
  const { spareDevices, classes } = problem;
  const terms: Term[] = [];
  const counted: Term[] = [];
  const countedClasses = new Set<number>();
  let maxUnits = 0;
  for (const [rank, place] of largestFirst.entries()) {
    const block = blocks[place] as (typeof blocks)[number];
    const { carriedQps } = block.mode;
    const unitClass = classes[block.classIndex] as PlanClass;
    counted.push(...settledTerms(unitClass, all[block.classIndex] as ClassVariables, block.modeIndex, step));
    if (!countedClasses.has(block.classIndex)) {
      countedClasses.add(block.classIndex);
      maxUnits += unitClass.units.length;
    }
    const smallerQps = blocks[largestFirst[rank + 1] ?? -1]?.mode.carriedQps ?? 0;
    if (smallerQps === carriedQps) continue;
    const failing = builder.variable(spareDevices === 1 ? "whole" : "real", 0, spareDevices);
    const minus = counted.map(([variable, factor]): Term => [variable, -factor]);
    if (maxUnits <= spareDevices) builder.row([[failing, 1], ...minus], 0, infinite);
    else if (spareDevices === 1) builder.row([[failing, maxUnits], ...minus], 0, infinite);
    else {
      const enough = builder.variable("whole", 0, 1);
      builder.row(
        [
          [failing, 1],
          [enough, -spareDevices],
        ],
        0,
        infinite,
      );
      builder.row([[failing, 1], [enough, maxUnits - spareDevices], ...minus], 0, infinite);
      // Without `enough` the devices must not be more than the spare.
      builder.row([[enough, maxUnits - spareDevices], ...minus], -spareDevices, infinite);
    }
    terms.push([failing, carriedQps - smallerQps]);
  }
  return terms;
}

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

/** Builds the mixed-integer program over counts of equal units. Unavoidable cost is left out, so that the gap is one of what can be chosen. */
export function planMilp(given: PlanProblem): PlanMilp {
  const problem = inUnits(given);
  const { classes, steps, demandQps, coverQps, spareDevices, shortfallUsdPerQps, uncoveredUsdPerQps } = problem;
  const covers = asksForCover(problem);
  const builder = createMilpBuilder();
  const scale = priceScale(problem);
  const variables = classes.map((unitClass) => addClass(builder, unitClass, steps, scale));
  let constantUsd = problem.fixedUsd;
  for (const { units, offUsd, startingUsd } of classes) {
    constantUsd += units.length * offUsd * steps;
    for (const { start } of units) {
      if (start.kind === "starting") constantUsd += Math.min(steps, start.arrivesAt) * (startingUsd - offUsd);
    }
  }
  for (const step of range(0, steps)) {
    const demand = demandQps[step] as number;
    const unavoidable = unavoidableQps(problem, step);
    const { shortfallQps } = unavoidable;
    const uncoveredQps = covers ? unavoidable.uncoveredQps : shortfallQps;
    const leftUsd = covers ? shortfallUsdPerQps - uncoveredUsdPerQps : shortfallUsdPerQps;
    const left = builder.variable("real", leftUsd * scale, demand - shortfallQps);
    constantUsd += leftUsd * shortfallQps;
    const balance: Term[] = [[left, 1]];
    const secure: Term[] = [];
    for (const [index, unitClass] of classes.entries()) {
      const own = variables[index] as ClassVariables;
      for (const [mode, { usdPerQps, carriedQps }] of unitClass.modes.entries()) {
        const load = builder.variable("real", usdPerQps * scale, unitClass.units.length * carriedQps);
        balance.push([load, 1]);
        const terms = carriedTerms(unitClass, own, mode, step);
        builder.row([...terms, [load, -1]], 0, infinite);
        for (const [variable, factor] of settledTerms(unitClass, own, mode, step)) {
          secure.push([variable, factor * carriedQps]);
        }
      }
    }
    builder.row(balance, demand - shortfallQps, demand - shortfallQps);
    if (!covers) continue;
    // Rates that are not carried and that would not be, together, beyond what is unavoidable.
    const open = builder.variable("real", uncoveredUsdPerQps * scale, infinite);
    constantUsd += uncoveredUsdPerQps * uncoveredQps;
    builder.row(
      [
        [open, 1],
        [left, -1],
      ],
      shortfallQps - uncoveredQps,
      infinite,
    );
    const lost = spareDevices === 0 ? [] : spareTerms(builder, problem, variables, step);
    const failing = lost.map(([variable, qps]): Term => [variable, -qps]);
    builder.row([...secure, ...failing, [open, 1]], (coverQps[step] as number) - uncoveredQps, infinite);
  }
  return {
    milp: builder.build(),
    usdOf: (objective) => constantUsd + objective / scale,
    countsOf: (values) =>
      variables.map(({ on, arrivals }) => ({
        on: on.map((ofMode) => ofMode.map((variable) => Math.round(values[variable] as number))),
        arrivals: arrivals.map((variable) => Math.round(values[variable] as number)),
      })),
  };
}
