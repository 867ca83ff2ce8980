/** Units of one make in one mode, or of one offer. Amounts are of one unit for one step. */
export interface UnitBlock {
  /** Place of its make or offer among all of them: units of a group are the same units, in another mode. */
  readonly group: number;
  /** Place of its mode among its make's; 0 for an offer. */
  readonly mode: number;
  readonly isDevice: boolean;
  /** At the target utilisation: what is expected has to be carried so. */
  readonly carriedQps: number;
  readonly fullQps: number;
  /**
   * What only may come has to be carried at this: the most that keeps the SLO. Load beyond the target is shared alike, so the lowest of those that
   * serve holds for all.
   */
  readonly secureUtilization: number;
  /** Without load, beyond what it draws on standby. */
  readonly idleUsd: number;
  readonly usdPerQps: number;
}

/** How many units of each block serve. */
export type Composition = Int32Array;

/** What has to be served, what may come, and how many units of each group may serve at least and at most. */
export interface CompositionNeed {
  readonly expectedQps: number;
  readonly coverQps: number;
  readonly fewest: readonly number[];
  readonly most: readonly number[];
}

/** What there is to compose from, and prices for a step. */
export interface CompositionTerms {
  readonly blocks: readonly UnitBlock[];
  readonly groups: number;
  readonly spareDevices: number;
  readonly shortfallUsdPerQps: number;
  /** Of one qps that may come and would not be carried if the spare devices failed. */
  readonly uncoveredUsdPerQps: number;
}

const shares = [1, 4, 16, 64];
/** So many units taken, so many others in their place. */
const exchanges = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 3],
  [3, 2],
] as const;

/** The cheapest units for one step, as if every step stood for itself: a local search over counts, from several beginnings. */
export function createComposer(terms: CompositionTerms) {
  const { groups, spareDevices, shortfallUsdPerQps: shortfallUsd, uncoveredUsdPerQps: uncoveredUsd } = terms;
  const blocks = terms.blocks.toSorted((a, b) => a.usdPerQps - b.usdPerQps);
  const places = Array.from({ length: groups }, (_, group) =>
    [...blocks.keys()].filter((place) => (blocks[place] as UnitBlock).group === group),
  );
  const fullUsd = (place: number) => {
    const { idleUsd, carriedQps, usdPerQps } = blocks[place] as UnitBlock;
    return idleUsd / carriedQps + usdPerQps;
  };
  const priceOf = (own: readonly number[]) => Math.min(...own.map(fullUsd));
  /** Cheapest first. */
  const order = [...places.keys()].sort((a, b) => priceOf(places[a] as number[]) - priceOf(places[b] as number[]));
  const largestFirst = [...blocks.keys()]
    .filter((place) => blocks[place]?.isDevice)
    .sort((a, b) => (blocks[b] as UnitBlock).carriedQps - (blocks[a] as UnitBlock).carriedQps);

  /** What a minute costs with these units, electricity on standby aside. */
  const usdOf = (units: Composition, expectedQps: number, coverQps: number): number => {
    let usd = 0;
    let left = expectedQps;
    let fullQps = 0;
    let secureUtilization = 1;
    for (let place = 0; place < blocks.length; place += 1) {
      const count = units[place] as number;
      if (count === 0) continue;
      const block = blocks[place] as UnitBlock;
      const { idleUsd, usdPerQps } = block;
      const qps = count * block.carriedQps;
      usd += count * idleUsd;
      fullQps += count * block.fullQps;
      if (block.secureUtilization < secureUtilization) secureUtilization = block.secureUtilization;
      if (usdPerQps > shortfallUsd) continue;
      const load = Math.min(left, qps);
      usd += load * usdPerQps;
      left -= load;
    }
    let spare = spareDevices;
    for (const place of largestFirst) {
      if (spare === 0) break;
      const failing = Math.min(spare, units[place] as number);
      fullQps -= failing * (blocks[place] as UnitBlock).fullQps;
      spare -= failing;
    }
    const secureQps = fullQps * secureUtilization;
    return usd + left * shortfallUsd + Math.max(0, coverQps - secureQps - left) * uncoveredUsd;
  };

  const countOf = (units: Composition, group: number) =>
    (places[group] as number[]).reduce((sum, place) => sum + (units[place] as number), 0);

  /** Adds, takes away and moves units between modes as long as that saves. Changes `units`; returns their cost. */
  const descend = (units: Composition, { expectedQps, coverQps, fewest, most }: CompositionNeed): number => {
    let usd = usdOf(units, expectedQps, coverQps);
    const tryMove = (from: number, to: number, count: number, added = count): boolean => {
      if (from >= 0) units[from] = (units[from] as number) - count;
      if (to >= 0) units[to] = (units[to] as number) + added;
      const other = usdOf(units, expectedQps, coverQps);
      if (other < usd - 1e-12) {
        usd = other;
        return true;
      }
      if (from >= 0) units[from] = (units[from] as number) + count;
      if (to >= 0) units[to] = (units[to] as number) - added;
      return false;
    };
    /** A few units of one block in place of a few of another, whose capacity differs. */
    const trySwap = (from: number, to: number, taken: number, added: number): boolean => {
      if (taken > (units[from] as number)) return false;
      const [left, entered] = [(blocks[from] as UnitBlock).group, (blocks[to] as UnitBlock).group];
      const isSame = left === entered;
      const after = countOf(units, left) - taken + (isSame ? added : 0);
      if (after < (fewest[left] as number) || after > (most[left] as number)) return false;
      if (!isSame && countOf(units, entered) + added > (most[entered] as number)) return false;
      return tryMove(from, to, taken, added);
    };
    for (let improved = true; improved; ) {
      improved = false;
      for (let group = 0; group < groups; group += 1) {
        const own = places[group] as number[];
        for (const share of shares) {
          const serving = countOf(units, group);
          const size = Math.floor(Math.max(serving, most[group] as number) / share);
          // The smallest step is one unit.
          const step = share === shares.at(-1) ? 1 : size;
          if (step < 1) continue;
          for (const place of own) {
            const count = countOf(units, group);
            if (count + step <= (most[group] as number)) improved = tryMove(-1, place, step) || improved;
            const removable = Math.min(step, units[place] as number, countOf(units, group) - (fewest[group] as number));
            if (removable > 0) improved = tryMove(place, -1, removable) || improved;
            for (const other of own) {
              const movable = Math.min(step, units[place] as number);
              if (other !== place && movable > 0) improved = tryMove(place, other, movable) || improved;
            }
          }
        }
      }
      for (let from = 0; from < blocks.length && !improved; from += 1) {
        for (let to = 0; to < blocks.length; to += 1) {
          if (from === to) continue;
          for (const [taken, added] of exchanges) improved = trySwap(from, to, taken, added) || improved;
        }
      }
    }
    return usd;
  };

  return {
    blocks,
    places,
    countOf,
    usdOf,
    /** @param from where to begin beside the compositions of one mode each; left as it is. */
    cheapest(need: CompositionNeed, from: Composition | null): Composition {
      const { fewest, most } = need;
      const beginnings: Composition[] = [];
      const modes = Math.max(...places.map((own) => own.length));
      for (let mode = 0; mode < modes; mode += 1) {
        const units = new Int32Array(blocks.length);
        let openQps = Math.max(need.coverQps, need.expectedQps);
        for (const group of order) {
          const own = places[group] as number[];
          const place = own[Math.min(mode, own.length - 1)];
          if (place === undefined) continue;
          const { carriedQps } = blocks[place] as UnitBlock;
          const count = Math.min(
            most[group] as number,
            Math.max(fewest[group] as number, Math.ceil(openQps / carriedQps)),
          );
          units[place] = count;
          openQps = Math.max(0, openQps - count * carriedQps);
        }
        beginnings.push(units);
      }
      if (from !== null) beginnings.unshift(Int32Array.from(from));
      let best: { units: Composition; usd: number } | null = null;
      for (const units of beginnings) {
        const usd = descend(units, need);
        if (best === null || usd < best.usd * (1 - 1e-9)) best = { units, usd };
      }
      return (best as { units: Composition }).units;
    },
  };
}
