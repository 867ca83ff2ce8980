import type { PlanMode, PlanProblem } from "./plan-problem.ts";

/** Units of one class in one mode: their load costs the same. */
export interface LoadBlock {
  readonly classIndex: number;
  readonly modeIndex: number;
  readonly mode: PlanMode;
  readonly isDevice: boolean;
}

export interface LoadBlocks {
  readonly blocks: readonly LoadBlock[];
  /** Place of the first block of each class. */
  readonly firstOfClass: readonly number[];
  /** Places of the blocks, cheapest load first. */
  readonly cheapestFirst: readonly number[];
  /** Places of the devices' blocks, largest device first. */
  readonly largestFirst: readonly number[];
}

/** Lists the blocks, one for each class and mode, class by class. */
export function loadBlocksOf({ classes }: PlanProblem): LoadBlocks {
  const firstOfClass: number[] = [];
  const blocks: LoadBlock[] = [];
  for (const [classIndex, { modes, kind }] of classes.entries()) {
    firstOfClass.push(blocks.length);
    for (const [modeIndex, mode] of modes.entries()) {
      blocks.push({ classIndex, modeIndex, mode, isDevice: kind === "device" });
    }
  }
  const places = blocks.map((_, place) => place);
  const modeAt = (place: number) => (blocks[place] as LoadBlock).mode;
  return {
    blocks,
    firstOfClass,
    cheapestFirst: places.toSorted((a, b) => modeAt(a).usdPerQps - modeAt(b).usdPerQps || a - b),
    largestFirst: places
      .filter((place) => blocks[place]?.isDevice)
      .sort((a, b) => modeAt(b).carriedQps - modeAt(a).carriedQps || a - b),
  };
}

/** Load of one step, shared out at least cost. */
export interface Dispatch {
  /** Price of the load, of lost requests and of the missing spare. */
  usd: number;
  shortfallQps: number;
  /** Rate that would not be carried, beyond the shortfall, if the largest spare devices failed. */
  uncoveredQps: number;
}

/**
 * Shares out a step's demand, cheapest load first; load that costs more than a lost request is left. `carriedQps` is the rate that each block
 * can carry, `settled` its units that are not in the middle of a switch: only they count as cover for each other. `loads`, when given,
 * receives the rate that each block serves. Writes into `result`, as the search calls this very often.
 */
export function dispatchLoad(
  problem: PlanProblem,
  { blocks, cheapestFirst, largestFirst }: LoadBlocks,
  step: number,
  carriedQps: Float64Array,
  settled: Float64Array,
  result: Dispatch,
  loads?: Float64Array,
): void {
  const { spareDevices, shortfallUsdPerQps, uncoveredUsdPerQps } = problem;
  const demandQps = problem.demandQps[step] as number;
  const coverQps = problem.coverQps[step] as number;
  let uncoveredQps = 0;
  if (spareDevices > 0 || coverQps > demandQps) {
    let secureQps = 0;
    for (let place = 0; place < blocks.length; place += 1) {
      secureQps += (settled[place] as number) * (blocks[place] as LoadBlock).mode.carriedQps;
    }
    let spare = spareDevices;
    for (const place of largestFirst) {
      if (spare === 0) break;
      const failing = Math.min(spare, settled[place] as number);
      secureQps -= failing * (blocks[place] as LoadBlock).mode.carriedQps;
      spare -= failing;
    }
    uncoveredQps = Math.max(0, coverQps - secureQps);
  }
  // A request that is left need not be covered either: as long as something is uncovered, leaving it costs only the difference.
  const cheaplyLeftUsd = shortfallUsdPerQps - uncoveredUsdPerQps;
  let usd = uncoveredQps * uncoveredUsdPerQps;
  let left = demandQps;
  let leftCheaply = 0;
  let cheaplyTried = false;
  for (const place of cheapestFirst) {
    const { usdPerQps } = (blocks[place] as LoadBlock).mode;
    if (!cheaplyTried && usdPerQps > cheaplyLeftUsd) {
      leftCheaply = Math.min(uncoveredQps, left);
      left -= leftCheaply;
      cheaplyTried = true;
    }
    if (usdPerQps > shortfallUsdPerQps) break;
    const load = Math.min(left, Math.max(0, carriedQps[place] as number));
    if (load <= 0) continue;
    if (loads !== undefined) loads[place] = load;
    usd += load * usdPerQps;
    left -= load;
  }
  if (!cheaplyTried) {
    leftCheaply = Math.min(uncoveredQps, left);
    left -= leftCheaply;
  }
  result.usd = usd + leftCheaply * cheaplyLeftUsd + left * shortfallUsdPerQps;
  result.shortfallQps = left + leftCheaply;
  result.uncoveredQps = uncoveredQps - leftCheaply;
}
