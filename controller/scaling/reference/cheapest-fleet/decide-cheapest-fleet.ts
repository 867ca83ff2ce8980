import { createMilpBuilder, type Term } from "#controller/scaling/fleet-plan/milp/milp-builder.ts";
import type { MilpSolver } from "#controller/scaling/fleet-plan/milp/milp-solver.ts";
import type { CheapestFleetInput } from "./cheapest-fleet-input.ts";
import { costOf, type FleetProblem, instancesFor, listOptima, loadTolerance } from "./list-optima.ts";

type Fleet = Readonly<Record<string, number>>;

export interface CheapestFleet {
  readonly feasible: boolean;
  readonly costPerHour: number | null;
  /** All fleets of that cost; only one of them when there are too many routes to try. */
  readonly fleets: readonly Fleet[];
  /** Null when not all routes were tried. */
  readonly fleetUnique: boolean | null;
  readonly routingCount: number | null;
  readonly routingUnique: boolean | null;
  /** Least cost with one type alone; null where that is not possible. */
  readonly bestSingleType: Readonly<Record<string, number | null>>;
  readonly obstacles: readonly FleetObstacle[];
}

/** Reason why no fleet is possible: a class that no type can serve, or types whose limit is too low. */
export type FleetObstacle =
  | { readonly rule: "unserved"; readonly name: string; readonly rate: number }
  | { readonly rule: "limits"; readonly over: readonly { name: string; needed: number; limit: number }[] };

const maxTrials = 2_000_000;
const limits = { relativeGap: 1e-9, maxIterations: 100_000 };

/** Removes the noise of adding in floating point. */
const rounded = (cost: number) => Number(cost.toPrecision(12));

function toProblem({ types, demand, slicesPerClass, minTotalInstances }: CheapestFleetInput): FleetProblem {
  return {
    costs: types.map(({ costPerHour }) => costPerHour),
    limits: types.map(({ limit }) => limit ?? Number.POSITIVE_INFINITY),
    // A class without demand goes nowhere.
    sliceLoads: Object.entries(demand)
      .filter(([, rate]) => rate > 0)
      .map(([name, rate]) =>
        types.map(({ capacity }) => {
          const carried = capacity[name] ?? null;
          return carried === null ? Number.POSITIVE_INFINITY : rate / slicesPerClass / carried;
        }),
      ),
    slices: slicesPerClass,
    minInstances: minTotalInstances,
  };
}

/** Solves for the counts of a cheapest fleet; null when there is none. */
function solvedCounts(problem: FleetProblem, solver: MilpSolver): readonly number[] | null {
  const builder = createMilpBuilder();
  const { costs, sliceLoads, slices, minInstances } = problem;
  const highest = costs.map((_, type) => {
    const loads = sliceLoads.map((ofClass) => ofClass[type] as number).filter(Number.isFinite);
    const load = loads.reduce((sum, each) => sum + slices * each, 0);
    return Math.min(problem.limits[type] as number, minInstances + Math.ceil(load));
  });
  const counts = costs.map((cost, type) => builder.variable("whole", cost, highest[type] as number));
  const routes = sliceLoads.map((loads) =>
    loads.map((load) => builder.variable("whole", 0, Number.isFinite(load) ? slices : 0)),
  );
  const sumOf = (variables: readonly number[]) => variables.map((variable): Term => [variable, 1]);
  for (const ofClass of routes) builder.row(sumOf(ofClass), slices, slices);
  for (const [type, count] of counts.entries()) {
    const terms = routes.map((ofClass, index): Term => {
      const load = sliceLoads[index]?.[type] as number;
      return [ofClass[type] as number, Number.isFinite(load) ? load : 0];
    });
    builder.row([...terms, [count, -1]], Number.NEGATIVE_INFINITY, loadTolerance);
  }
  builder.row(sumOf(counts), minInstances, Number.POSITIVE_INFINITY);
  const answer = solver.solve(builder.build(), limits);
  if (answer.status === "none") return null;
  return counts.map((count) => Math.round(answer.values[count] as number));
}

function singleType(problem: FleetProblem, type: number): number | null {
  const load = problem.sliceLoads.reduce((sum, loads) => sum + problem.slices * (loads[type] as number), 0);
  const count = Math.max(problem.minInstances, instancesFor([load])[0] as number);
  if (!(count <= (problem.limits[type] as number)) || count === Number.POSITIVE_INFINITY) return null;
  return rounded(count * (problem.costs[type] as number));
}

/** Finds out why no fleet is possible, and by how much. */
function findObstacles(input: CheapestFleetInput, problem: FleetProblem, solver: MilpSolver): FleetObstacle[] {
  const unserved = Object.entries(input.demand)
    .filter(([name, rate]) => rate > 0 && input.types.every(({ capacity }) => (capacity[name] ?? null) === null))
    .map(([name, rate]) => ({ rule: "unserved", name, rate }) as const);
  if (unserved.length > 0) return unserved;
  const unlimited = { ...problem, limits: problem.limits.map(() => Number.POSITIVE_INFINITY) };
  const counts = solvedCounts(unlimited, solver) ?? [];
  const over = input.types.flatMap(({ name, limit }, index) => {
    const needed = counts[index] ?? 0;
    return limit !== null && needed > limit ? [{ name, needed, limit }] : [];
  });
  return [{ rule: "limits", over }];
}

/**
 * Decides which instances of which types to buy, and where to send which requests, at least cost: whole instances, and each class of request
 * cut into equal slices of which each goes to one type. An instance that serves several classes shares its time among them.
 */
export function decideCheapestFleet(input: CheapestFleetInput, solver: MilpSolver): CheapestFleet {
  const problem = toProblem(input);
  const named = (counts: readonly number[]): Fleet =>
    Object.fromEntries(input.types.map(({ name }, index) => [name, counts[index] ?? 0]));
  const bestSingleType = Object.fromEntries(input.types.map(({ name }, type) => [name, singleType(problem, type)]));
  const counts = solvedCounts(problem, solver);
  const maxCost = counts === null ? Number.MAX_VALUE : costOf(problem.costs, counts);
  const optima = listOptima(problem, maxCost, maxTrials);
  const fleets = optima === null ? (counts === null ? [] : [counts]) : optima.fleets;
  const best = fleets[0];
  if (best === undefined) {
    const obstacles = findObstacles(input, problem, solver);
    const nothing = { fleets: [], fleetUnique: null, routingCount: null, routingUnique: null };
    return { feasible: false, costPerHour: null, ...nothing, bestSingleType, obstacles };
  }
  return {
    feasible: true,
    costPerHour: rounded(costOf(problem.costs, best)),
    fleets: fleets.map(named),
    fleetUnique: optima === null ? null : optima.fleets.length === 1,
    routingCount: optima?.routes ?? null,
    routingUnique: optima === null ? null : optima.routes === 1,
    bestSingleType,
    obstacles: [],
  };
}
