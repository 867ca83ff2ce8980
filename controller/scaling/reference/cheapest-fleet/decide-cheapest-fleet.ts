import { createMilpBuilder, type Term } from "#controller/scaling/fleet-plan/milp/milp-builder.ts";
import type { MilpSolver } from "#controller/scaling/fleet-plan/milp/milp-solver.ts";
import type { CheapestFleetInput } from "./cheapest-fleet-input.ts";
import { costOf, type FleetProblem, instancesFor, listOptima, loadTolerance } from "./list-optima.ts";

type Fleet = Readonly<Record<string, number>>;

export interface CheapestFleet {
  readonly feasible: boolean;
  readonly costPerHour: number | null;
  /** Every fleet of that cost; only one of them when there are too many routes to look at. */
  readonly fleets: readonly Fleet[];
  /** Null when not all were looked at. */
  readonly fleetUnique: boolean | null;
  readonly routingCount: number | null;
  readonly routingUnique: boolean | null;
  /** The least cost with one type alone; null where that can't do it. */
  readonly bestSingleType: Readonly<Record<string, number | null>>;
  readonly reasons: readonly string[];
}

const mostTrials = 2_000_000;
const limits = { relativeGap: 1e-9, timeLimitS: 10 };

/** Without the noise of adding in floating point. */
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
    fewest: minTotalInstances,
  };
}

/** The counts of a cheapest fleet by the solver; null when there is none. */
function solvedCounts(problem: FleetProblem, solver: MilpSolver): readonly number[] | null {
  const builder = createMilpBuilder();
  const { costs, sliceLoads, slices, fewest } = problem;
  const highest = costs.map((_, type) =>
    Math.min(
      problem.limits[type] as number,
      fewest +
        Math.ceil(
          sliceLoads.reduce(
            (sum, loads) => sum + (Number.isFinite(loads[type]) ? slices * (loads[type] as number) : 0),
            0,
          ),
        ),
    ),
  );
  const counts = costs.map((cost, type) => builder.variable("whole", cost, highest[type] as number));
  const routes = sliceLoads.map((loads) =>
    loads.map((load) => builder.variable("whole", 0, Number.isFinite(load) ? slices : 0)),
  );
  for (const ofClass of routes)
    builder.row(
      ofClass.map((route): Term => [route, 1]),
      slices,
      slices,
    );
  for (const [type, count] of counts.entries()) {
    const terms = routes.map((ofClass, index): Term => {
      const load = sliceLoads[index]?.[type] as number;
      return [ofClass[type] as number, Number.isFinite(load) ? load : 0];
    });
    builder.row([...terms, [count, -1]], Number.NEGATIVE_INFINITY, loadTolerance);
  }
  builder.row(
    counts.map((count): Term => [count, 1]),
    fewest,
    Number.POSITIVE_INFINITY,
  );
  const answer = solver.solve(builder.build(), limits);
  if (answer.status === "none") return null;
  return counts.map((count) => Math.round(answer.values[count] as number));
}

function singleType(problem: FleetProblem, type: number): number | null {
  const load = problem.sliceLoads.reduce((sum, loads) => sum + problem.slices * (loads[type] as number), 0);
  const count = Math.max(problem.fewest, instancesFor([load])[0] as number);
  if (!(count <= (problem.limits[type] as number)) || count === Number.POSITIVE_INFINITY) return null;
  return rounded(count * (problem.costs[type] as number));
}

/** Why no fleet will do: a class that nobody serves, or limits that are too low, and by how much. */
function obstacles(input: CheapestFleetInput, problem: FleetProblem, solver: MilpSolver): string[] {
  const unserved = Object.entries(input.demand)
    .filter(([name, rate]) => rate > 0 && input.types.every(({ capacity }) => (capacity[name] ?? null) === null))
    .map(([name, rate]) => `demand.${name}: no type can serve it; ${rate} requests/s are left`);
  if (unserved.length > 0) return unserved;
  const unlimited = { ...problem, limits: problem.limits.map(() => Number.POSITIVE_INFINITY) };
  const counts = solvedCounts(unlimited, solver) ?? [];
  const over = input.types.flatMap(({ name, limit }, index) => {
    const count = counts[index] ?? 0;
    return limit !== null && count > limit ? [`${name} ${count} of ${limit} (${count - limit} more)`] : [];
  });
  return [`types: the limits are too low; the cheapest fleet without them needs ${over.join(", ")}`];
}

/**
 * Which instances of which types to buy, and where to send which requests, at least cost: whole instances, and each class of request cut
 * into equal slices of which each goes to one type. An instance that serves several classes shares its time among them.
 */
export function decideCheapestFleet(input: CheapestFleetInput, solver: MilpSolver): CheapestFleet {
  const problem = toProblem(input);
  const named = (counts: readonly number[]): Fleet =>
    Object.fromEntries(input.types.map(({ name }, index) => [name, counts[index] ?? 0]));
  const bestSingleType = Object.fromEntries(input.types.map(({ name }, type) => [name, singleType(problem, type)]));
  const counts = solvedCounts(problem, solver);
  const highestCost = counts === null ? Number.MAX_VALUE : costOf(problem.costs, counts);
  const optima = listOptima(problem, highestCost, mostTrials);
  const fleets = optima === null ? (counts === null ? [] : [counts]) : optima.fleets;
  const best = fleets[0];
  if (best === undefined) {
    const reasons = obstacles(input, problem, solver);
    const nothing = { fleets: [], fleetUnique: null, routingCount: null, routingUnique: null };
    return { feasible: false, costPerHour: null, ...nothing, bestSingleType, reasons };
  }
  const bought = input.types
    .map(({ name }, index) => `${best[index] ?? 0} × ${name}`)
    .filter((text) => !text.startsWith("0 "));
  const costPerHour = rounded(costOf(problem.costs, best));
  return {
    feasible: true,
    costPerHour,
    fleets: fleets.map(named),
    fleetUnique: optima === null ? null : optima.fleets.length === 1,
    routingCount: optima?.routes ?? null,
    routingUnique: optima === null ? null : optima.routes === 1,
    bestSingleType,
    reasons: [
      `${bought.join(" and ") || "nothing"} for ${costPerHour} an hour${optima === null ? "; not every route was looked at" : ""}`,
    ],
  };
}
