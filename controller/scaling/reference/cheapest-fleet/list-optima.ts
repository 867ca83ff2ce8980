export interface FleetProblem {
  readonly costs: readonly number[];
  /** Limits by type; infinite where there is none. */
  readonly limits: readonly number[];
  /** Load of one slice on one instance, by class, then by type; infinite where the type can't serve the class. */
  readonly sliceLoads: readonly (readonly number[])[];
  readonly slices: number;
  readonly minInstances: number;
}

/** Tolerance for sums of loads: what is whole may be slightly above in floating point. */
export const loadTolerance = 1e-9;
const costTolerance = 1e-9;

/** Number of instances that carry these loads. */
export const instancesFor = (loads: readonly number[]) =>
  loads.map((load) => Math.max(0, Math.ceil(load - loadTolerance)));

export const costOf = (costs: readonly number[], counts: readonly number[]) =>
  counts.reduce((sum, count, type) => sum + count * (costs[type] as number), 0);

/** Lists all cheapest ways to add instances up to the minimum; none when the limits forbid it. */
function filledUp(
  { costs, limits, minInstances }: FleetProblem,
  counts: readonly number[],
  maxCost: number,
): number[][] {
  const found: number[][] = [];
  const add = (type: number, bought: readonly number[], missing: number) => {
    if (costOf(costs, bought) > maxCost + costTolerance) return;
    if (missing <= 0) {
      found.push([...bought]);
      return;
    }
    if (type === costs.length) return;
    const maxMore = Math.min(missing, (limits[type] as number) - (bought[type] as number));
    for (let more = 0; more <= maxMore; more += 1) {
      add(type + 1, bought.with(type, (bought[type] as number) + more), missing - more);
    }
  };
  add(0, counts, minInstances - counts.reduce((sum, count) => sum + count, 0));
  return found;
}

/**
 * Lists all fleets of the least cost, and counts the fleets with routes. `maxCost` is a cost that can be reached. Null when there are more
 * than `maxTrials` partial routes to try.
 */
export function listOptima(
  problem: FleetProblem,
  maxCost: number,
  maxTrials: number,
): { readonly fleets: number[][]; readonly routes: number; readonly cost: number } | null {
  const { costs, limits, sliceLoads, slices } = problem;
  /** Lower bound of the cost of the classes from here on: fractions of instances of the best type. */
  const cheapestRest = new Array<number>(sliceLoads.length + 1).fill(0);
  for (let index = sliceLoads.length - 1; index >= 0; index -= 1) {
    const rates = (sliceLoads[index] as readonly number[]).map((load, type) => load * (costs[type] as number));
    cheapestRest[index] =
      (cheapestRest[index + 1] as number) + slices * Math.min(...rates.filter((rate) => !Number.isNaN(rate)));
  }
  let least = maxCost;
  let fleets = new Map<string, number[]>();
  let routes = 0;
  let trials = 0;
  const loads = costs.map(() => 0);
  const place = (index: number, type: number, left: number): boolean => {
    trials += 1;
    if (trials > maxTrials) return false;
    const counts = instancesFor(loads);
    if (counts.some((count, each) => count > (limits[each] as number))) return true;
    const fractional = loads.reduce((sum, load, each) => sum + load * (costs[each] as number), 0);
    const bound = Math.max(costOf(costs, counts), fractional + (cheapestRest[index + 1] ?? 0));
    if (bound > least + costTolerance * (1 + least)) return true;
    if (index === sliceLoads.length) {
      for (const fleet of filledUp(problem, counts, least)) {
        const cost = costOf(costs, fleet);
        if (cost < least - costTolerance * (1 + least)) {
          least = cost;
          fleets = new Map();
          routes = 0;
        }
        if (cost > least + costTolerance * (1 + least)) continue;
        fleets.set(fleet.join(), fleet);
        routes += 1;
      }
      return true;
    }
    if (left === 0) return place(index + 1, 0, slices);
    if (type === costs.length) return true;
    const load = sliceLoads[index]?.[type] as number;
    const before = loads[type] as number;
    for (let count = 0; count <= (Number.isFinite(load) ? left : 0); count += 1) {
      loads[type] = before + (count === 0 ? 0 : count * load);
      if (!place(index, left === count ? costs.length : type + 1, left - count)) return false;
    }
    loads[type] = before;
    return true;
  };
  return place(0, 0, slices) ? { fleets: [...fleets.values()], routes, cost: least } : null;
}
