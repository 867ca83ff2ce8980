/** Units of one make in one mode, or of one offer. Amounts are of one unit for one step. */
export interface UnitBlock {
  /** Place of its make or offer among all of them: blocks of one group are the same units in other modes. */
  readonly group: number;
  /** Place of its mode among those of its make; 0 for an offer. */
  readonly mode: number;
  readonly isDevice: boolean;
  /** Rate carried at the target utilisation: the expected load has to be carried so. */
  readonly carriedQps: number;
  readonly fullQps: number;
  /**
   * Highest utilisation that keeps the SLO: load that may come has to be carried at it. Load beyond the target is shared alike, so the lowest
   * of the units that serve holds for all.
   */
  readonly secureUtilization: number;
  /** Price without load, beyond what it draws on standby. */
  readonly idleUsd: number;
  readonly usdPerQps: number;
}

/** Number of units of each block that serve. */
export type Composition = Int32Array;

/** Load that has to be served, load that may come, and bounds of the units of each group. */
export interface CompositionNeed {
  readonly expectedQps: number;
  readonly coverQps: number;
  readonly minUnits: readonly number[];
  readonly maxUnits: readonly number[];
}

/** Blocks to compose from, and prices for a step. */
export interface CompositionTerms {
  readonly blocks: readonly UnitBlock[];
  readonly groups: number;
  readonly spareDevices: number;
  readonly shortfallUsdPerQps: number;
  /** Price of one qps that may come and would not be carried if the spare devices failed. */
  readonly uncoveredUsdPerQps: number;
}

const shares = [1, 4, 16, 64];
/** Exchanges that are tried: units taken, and units put in their place. */
const exchanges = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 3],
  [3, 2],
] as const;

/** Finds the cheapest units for a single step: a local search over counts, from several starting points. */
export class Composer {
  /** Blocks, cheapest load first. */
  readonly blocks: readonly UnitBlock[];
  /** Places of the blocks of each group. */
  readonly places: readonly (readonly number[])[];
  readonly #terms: CompositionTerms;
  /** Groups, cheapest first. */
  readonly #order: readonly number[];
  /** Places of the devices' blocks, largest device first. */
  readonly #largestFirst: readonly number[];

  constructor(terms: CompositionTerms) {
    const blocks = terms.blocks.toSorted((a, b) => a.usdPerQps - b.usdPerQps);
    const places = Array.from({ length: terms.groups }, (_, group) =>
      [...blocks.keys()].filter((place) => (blocks[place] as UnitBlock).group === group),
    );
    const fullUsd = (place: number) => {
      const { idleUsd, carriedQps, usdPerQps } = blocks[place] as UnitBlock;
      return idleUsd / carriedQps + usdPerQps;
    };
    const priceOf = (own: readonly number[]) => Math.min(...own.map(fullUsd));
    this.#terms = terms;
    this.blocks = blocks;
    this.places = places;
    this.#order = [...places.keys()].sort((a, b) => priceOf(places[a] as number[]) - priceOf(places[b] as number[]));
    this.#largestFirst = [...blocks.keys()]
      .filter((place) => blocks[place]?.isDevice)
      .sort((a, b) => (blocks[b] as UnitBlock).carriedQps - (blocks[a] as UnitBlock).carriedQps);
  }

  /** Number of units of a group. */
  countOf(units: Composition, group: number): number {
    return (this.places[group] as readonly number[]).reduce((sum, place) => sum + (units[place] as number), 0);
  }

  /** Cost of a minute with these units, electricity on standby aside. */
  usdOf(units: Composition, expectedQps: number, coverQps: number): number {
    const { blocks } = this;
    const { spareDevices, shortfallUsdPerQps, uncoveredUsdPerQps } = this.#terms;
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
      if (usdPerQps > shortfallUsdPerQps) continue;
      const load = Math.min(left, qps);
      usd += load * usdPerQps;
      left -= load;
    }
    let spare = spareDevices;
    for (const place of this.#largestFirst) {
      if (spare === 0) break;
      const failing = Math.min(spare, units[place] as number);
      fullQps -= failing * (blocks[place] as UnitBlock).fullQps;
      spare -= failing;
    }
    const secureQps = fullQps * secureUtilization;
    return usd + left * shortfallUsdPerQps + Math.max(0, coverQps - secureQps - left) * uncoveredUsdPerQps;
  }

  /**
   * Finds the cheapest composition for a need.
   * @param from a starting point beside the compositions of one mode each; not changed.
   */
  cheapest(need: CompositionNeed, from: Composition | null): Composition {
    const starts = this.#startsFor(need);
    if (from !== null) starts.unshift(Int32Array.from(from));
    let best: { units: Composition; usd: number } | null = null;
    for (const units of starts) {
      const usd = this.#descend(units, need);
      if (best === null || usd < best.usd * (1 - 1e-9)) best = { units, usd };
    }
    return (best as { units: Composition }).units;
  }

  /** Returns one composition for each mode: groups filled up in their order, all units in that mode. */
  #startsFor({ expectedQps, coverQps, minUnits, maxUnits }: CompositionNeed): Composition[] {
    const modes = Math.max(...this.places.map((own) => own.length));
    return Array.from({ length: modes }, (_, mode) => {
      const units = new Int32Array(this.blocks.length);
      let openQps = Math.max(coverQps, expectedQps);
      for (const group of this.#order) {
        const own = this.places[group] as readonly number[];
        const place = own[Math.min(mode, own.length - 1)];
        if (place === undefined) continue;
        const { carriedQps } = this.blocks[place] as UnitBlock;
        const count = Math.min(
          maxUnits[group] as number,
          Math.max(minUnits[group] as number, Math.ceil(openQps / carriedQps)),
        );
        units[place] = count;
        openQps = Math.max(0, openQps - count * carriedQps);
      }
      return units;
    });
  }

  /** Adds, takes away and moves units between modes as long as that saves. Changes `units`; returns their cost. */
  #descend(units: Composition, { expectedQps, coverQps, minUnits, maxUnits }: CompositionNeed): number {
    const { blocks, places } = this;
    const { groups } = this.#terms;
    let usd = this.usdOf(units, expectedQps, coverQps);
    const tryMove = (from: number, to: number, count: number, added = count): boolean => {
      if (from >= 0) units[from] = (units[from] as number) - count;
      if (to >= 0) units[to] = (units[to] as number) + added;
      const other = this.usdOf(units, expectedQps, coverQps);
      if (other < usd - 1e-12) {
        usd = other;
        return true;
      }
      if (from >= 0) units[from] = (units[from] as number) + count;
      if (to >= 0) units[to] = (units[to] as number) - added;
      return false;
    };
    /** Tries a few units of one block in place of a few of another with a different capacity. */
    const trySwap = (from: number, to: number, taken: number, added: number): boolean => {
      if (taken > (units[from] as number)) return false;
      const [left, entered] = [(blocks[from] as UnitBlock).group, (blocks[to] as UnitBlock).group];
      const isSame = left === entered;
      const after = this.countOf(units, left) - taken + (isSame ? added : 0);
      if (after < (minUnits[left] as number) || after > (maxUnits[left] as number)) return false;
      if (!isSame && this.countOf(units, entered) + added > (maxUnits[entered] as number)) return false;
      return tryMove(from, to, taken, added);
    };
    for (let improved = true; improved; ) {
      improved = false;
      for (let group = 0; group < groups; group += 1) {
        const own = places[group] as readonly number[];
        for (const share of shares) {
          const serving = this.countOf(units, group);
          const size = Math.floor(Math.max(serving, maxUnits[group] as number) / share);
          // The smallest step is one unit.
          const step = share === shares.at(-1) ? 1 : size;
          if (step < 1) continue;
          for (const place of own) {
            const count = this.countOf(units, group);
            if (count + step <= (maxUnits[group] as number)) improved = tryMove(-1, place, step) || improved;
            const removable = Math.min(
              step,
              units[place] as number,
              this.countOf(units, group) - (minUnits[group] as number),
            );
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
  }
}
