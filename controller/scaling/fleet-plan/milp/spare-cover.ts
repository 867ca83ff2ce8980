import type { PlanClass, PlanProblem } from "#controller/scaling/fleet-plan/plan-problem.ts";
import { type ClassFlow, type StepFlow, secureTerms } from "./class-flow.ts";
import type { MilpBuilder, Term } from "./milp-builder.ts";

/** Capacities that are taken for one: units of up to `highQps` count as such, failing ones as `lowQps`. */
export interface Level {
  readonly highQps: number;
  readonly lowQps: number;
}

/** Choice in which no device covers anything. */
const none: Level = { highQps: 0, lowQps: 0 };

/** A step's rule of cover in the program. */
export interface SpareCover {
  /** Returns the variables that pick a capacity, with the values that suit best when so many units are on each arc. */
  pickFor(units: ArrayLike<number>): Term[];
}

/** Share of the rate to cover by which it may be taken too low, for a smaller program. */
const coarseness = 2e-4;

/** Groups the capacities of devices, the highest first: near ones together, and no more groups than `maxLevels`. */
export function levelsOf({ classes, spareDevices, coverQps }: PlanProblem, maxLevels: number): Level[] {
  const capacities = classes
    .filter(({ kind }) => kind === "device")
    .flatMap(({ modes }) => modes.map(({ carriedQps }) => carriedQps))
    .sort((a, b) => b - a);
  const span = (capacities[0] ?? 0) - (capacities.at(-1) ?? 0);
  let widthQps = (coarseness * Math.max(...coverQps)) / spareDevices;
  for (;;) {
    const levels: { highQps: number; lowQps: number }[] = [];
    for (const qps of capacities) {
      const level = levels.at(-1);
      if (level !== undefined && level.highQps - qps <= widthQps) level.lowQps = qps;
      else levels.push({ highQps: qps, lowQps: qps });
    }
    if (levels.length <= maxLevels || widthQps >= span) return levels;
    widthQps = Math.min(span, Math.max(2 * widthQps, span / 64));
  }
}

/**
 * Adds a step's rule of cover. With the K largest devices out the others carry the most of Σ min(c, c_l) × units - K × c_l over all capacities c_l. So one
 * capacity is picked, and what is settled covers only with what it counts for that one: the convex hull of the choices, where a sum of minima
 * is so far from it that no solver finds the way back.
 * @param open terms of the rate that need not be covered.
 */
export function addSpareCover(
  builder: MilpBuilder,
  { classes, spareDevices, coverQps }: PlanProblem,
  levels: readonly Level[],
  flows: readonly ClassFlow[],
  step: number,
  open: readonly Term[],
): SpareCover {
  const cover = coverQps[step] as number;
  const flowOf = (index: number, mode: number) => flows[index]?.steps[step]?.[mode] as StepFlow;
  const picks: Term[] = [];
  const spared: Term[] = [];
  const shares = classes.map(({ modes }) => modes.map((): Term[] => []));
  const openShares: Term[] = [];
  for (const { highQps, lowQps } of [...levels, none]) {
    const pick = builder.variable("whole", 0, 1);
    picks.push([pick, 1]);
    spared.push([pick, -spareDevices * lowQps]);
    const covered: Term[] = [[pick, -(cover + spareDevices * lowQps)]];
    for (const [index, unitClass] of classes.entries()) {
      const { kind, modes } = unitClass as PlanClass;
      const maxUnits = flows[index]?.maxSettled[step] as number;
      if (maxUnits === 0 || (highQps === 0 && kind === "device")) continue;
      const ofClass: Term[] = [[pick, -maxUnits]];
      for (const [mode, { carriedQps }] of modes.entries()) {
        const max = flowOf(index, mode).maxSettled;
        if (max === 0) continue;
        const share = builder.variable("real", 0, max);
        ofClass.push([share, 1]);
        shares[index]?.[mode]?.push([share, 1]);
        covered.push([share, kind === "device" ? Math.min(highQps, carriedQps) : carriedQps]);
        if (max < maxUnits)
          builder.row(
            [
              [share, 1],
              [pick, -max],
            ],
            Number.NEGATIVE_INFINITY,
            0,
          );
      }
      builder.row(ofClass, Number.NEGATIVE_INFINITY, 0);
    }
    const openShare = builder.variable("real", 0, Number.POSITIVE_INFINITY);
    openShares.push([openShare, -1]);
    builder.row([...covered, [openShare, 1]], 0, Number.POSITIVE_INFINITY);
  }
  builder.row(picks, 1, 1);
  builder.row([...open, ...openShares], 0, Number.POSITIVE_INFINITY);
  for (const [index, ofClass] of shares.entries()) {
    for (const [mode, ofMode] of ofClass.entries()) {
      const { settled } = flowOf(index, mode);
      if (settled.length === 0) continue;
      const units = settled.map(([variable, factor]): Term => [variable, -factor]);
      builder.row([...ofMode, ...units], Number.NEGATIVE_INFINITY, 0);
    }
  }
  // Follows from the rows above; for the solver's cuts in one piece.
  builder.row([...open, ...spared, ...secureTerms(classes, flows, step)], cover, Number.POSITIVE_INFINITY);
  return {
    pickFor(units) {
      const settled = classes.flatMap(({ kind, modes }, index) =>
        modes.map(({ carriedQps }, mode) => ({
          isDevice: kind === "device",
          carriedQps,
          count: flowOf(index, mode).settled.reduce((sum, [variable]) => sum + (units[variable] as number), 0),
        })),
      );
      const coveredQps = [...levels, none].map(({ highQps, lowQps }) =>
        settled.reduce(
          (sum, { isDevice, carriedQps, count }) =>
            sum + count * (isDevice ? Math.min(highQps, carriedQps) : carriedQps),
          -spareDevices * lowQps,
        ),
      );
      const best = coveredQps.indexOf(Math.max(...coveredQps));
      return picks.map(([pick], rank): Term => [pick, rank === best ? 1 : 0]);
    },
  };
}
