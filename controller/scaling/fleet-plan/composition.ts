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
  /** The blocks' figures by place: {@link usdOf} is what a month's replay spends its time in. */
  readonly #figures: Record<"carriedQps" | "fullQps" | "secureUtilization" | "idleUsd" | "usdPerQps", Float64Array>;
  readonly #groupOf: Int32Array;
  /** Groups, cheapest first. */
  readonly #order: readonly number[];
  /** Places of the devices' blocks, largest device first. */
  readonly #largestFirst: Int32Array;

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
    const largestFirst = [...blocks.keys()]
      .filter((place) => blocks[place]?.isDevice)
      .sort((a, b) => (blocks[b] as UnitBlock).carriedQps - (blocks[a] as UnitBlock).carriedQps);
    this.#largestFirst = Int32Array.from(largestFirst);
    const figure = (of: (block: UnitBlock) => number) => Float64Array.from(blocks, of);
    this.#figures = {
      carriedQps: figure(({ carriedQps }) => carriedQps),
      fullQps: figure(({ fullQps }) => fullQps),
      secureUtilization: figure(({ secureUtilization }) => secureUtilization),
      idleUsd: figure(({ idleUsd }) => idleUsd),
      usdPerQps: figure(({ usdPerQps }) => usdPerQps),
    };
    this.#groupOf = Int32Array.from(blocks, ({ group }) => group);
  }

  /** Number of units of a group. */
  countOf(units: Composition, group: number): number {
    let sum = 0;
    for (const place of this.places[group] as readonly number[]) sum += units[place] as number;
    return sum;
  }

  /** Cost of a minute with these units, electricity on standby aside. */
  usdOf(units: Composition, expectedQps: number, coverQps: number): number {
    const { carriedQps, fullQps, secureUtilization, idleUsd, usdPerQps } = this.#figures;
    const { spareDevices, shortfallUsdPerQps, uncoveredUsdPerQps } = this.#terms;
    let usd = 0;
    let left = expectedQps;
    let allQps = 0;
    let secureShare = 1;
    for (let place = 0; place < units.length; place += 1) {
      const count = units[place] as number;
      if (count === 0) continue;
      usd += count * (idleUsd[place] as number);
      allQps += count * (fullQps[place] as number);
      secureShare = Math.min(secureShare, secureUtilization[place] as number);
      if ((usdPerQps[place] as number) > shortfallUsdPerQps) continue;
      const load = Math.min(left, count * (carriedQps[place] as number));
      usd += load * (usdPerQps[place] as number);
      left -= load;
    }
    let spare = spareDevices;
    for (let index = 0; index < this.#largestFirst.length && spare > 0; index += 1) {
      const place = this.#largestFirst[index] as number;
      const failing = Math.min(spare, units[place] as number);
      allQps -= failing * (fullQps[place] as number);
      spare -= failing;
    }
    const secureQps = allQps * secureShare;
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
    const groupOf = this.#groupOf;
    const counts = Int32Array.from(places, (_, group) => this.countOf(units, group));
    const change = (place: number, by: number) => {
      if (place < 0) return;
      const group = groupOf[place] as number;
      units[place] = (units[place] as number) + by;
      counts[group] = (counts[group] as number) + by;
    };
    let usd = this.usdOf(units, expectedQps, coverQps);
    const tryMove = (from: number, to: number, count: number, added = count): boolean => {
      change(from, -count);
      change(to, added);
      const other = this.usdOf(units, expectedQps, coverQps);
      if (other < usd - 1e-12) {
        usd = other;
        return true;
      }
      change(from, count);
      change(to, -added);
      return false;
    };
    /** Tries a few units of one block in place of a few of another with a different capacity. */
    const trySwap = (from: number, to: number, taken: number, added: number): boolean => {
      if (taken > (units[from] as number)) return false;
      const left = groupOf[from] as number;
      const entered = groupOf[to] as number;
      const isSame = left === entered;
      const after = (counts[left] as number) - taken + (isSame ? added : 0);
      if (after < (minUnits[left] as number) || after > (maxUnits[left] as number)) return false;
      if (!isSame && (counts[entered] as number) + added > (maxUnits[entered] as number)) return false;
      return tryMove(from, to, taken, added);
    };
    for (let improved = true; improved; ) {
      improved = false;
      for (let group = 0; group < groups; group += 1) {
        const own = places[group] as readonly number[];
        for (const share of shares) {
          const size = Math.floor(Math.max(counts[group] as number, maxUnits[group] as number) / share);
          // The smallest step is one unit.
          const step = share === shares.at(-1) ? 1 : size;
          if (step < 1) continue;
          for (const place of own) {
            if ((counts[group] as number) + step <= (maxUnits[group] as number))
              improved = tryMove(-1, place, step) || improved;
            const removable = Math.min(
              step,
              units[place] as number,
              (counts[group] as number) - (minUnits[group] as number),
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
