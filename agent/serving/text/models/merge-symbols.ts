import type { PairMap } from "./pair-map.ts";

/** Merges of a byte-pair encoding. */
export interface Merges {
  /** Rank of each pair of tokens that is merged. */
  readonly ranks: PairMap;
  /** By rank, the token that a pair becomes. */
  readonly merged: readonly number[];
}

/** A key holds a merge's rank and, below it, its place. */
const places = 2 ** 24;

/** Numbers, the least of which is taken first. */
class Heap {
  readonly #keys: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  push(key: number): void {
    const keys = this.#keys;
    let at = keys.length;
    keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((keys[parent] as number) <= key) break;
      keys[at] = keys[parent] as number;
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number {
    const keys = this.#keys;
    const least = keys[0] as number;
    const key = keys.pop() as number;
    const { length } = keys;
    if (length === 0) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && (keys[child + 1] as number) < (keys[child] as number)) child += 1;
      if ((keys[child] as number) >= key) break;
      keys[at] = keys[child] as number;
      at = child;
    }
    keys[at] = key;
    return least;
  }
}

/** Merges the symbols of a word in the order of the merges' ranks, the first place first, in time n log n. */
export class SymbolMerger {
  readonly #merges: Merges;
  readonly #symbols: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heap = new Heap();
  #offered = 0;

  constructor(symbols: readonly number[], merges: Merges) {
    if (symbols.length >= places) throw new RangeError(`expected at most ${places - 1} symbols, got ${symbols.length}`);
    this.#merges = merges;
    this.#symbols = Int32Array.from(symbols);
    this.#next = Int32Array.from(symbols, (_, i) => (i + 1 < symbols.length ? i + 1 : -1));
    this.#previous = Int32Array.from(symbols, (_, i) => i - 1);
  }

  /** Does at most so many steps. Returns true when nothing is left to do. */
  run(maxSteps: number): boolean {
    let steps = maxSteps;
    for (; this.#offered < this.#symbols.length; this.#offered += 1) {
      if (steps-- <= 0) return false;
      this.#offer(this.#offered);
    }
    while (this.#heap.size > 0) {
      if (steps-- <= 0) return false;
      this.#take(this.#heap.pop());
    }
    return true;
  }

  /** Adds the tokens that are left. */
  addTo(ids: number[]): void {
    for (let at = 0; at >= 0; at = this.#next[at] as number) ids.push(this.#symbols[at] as number);
  }

  #offer(place: number): void {
    const next = place < 0 ? -1 : (this.#next[place] as number);
    if (next < 0) return;
    const rank = this.#merges.ranks.get(this.#symbols[place] as number, this.#symbols[next] as number);
    if (rank >= 0) this.#heap.push(rank * places + place);
  }

  #take(key: number): void {
    const place = key % places;
    const token = this.#merges.merged[Math.floor(key / places)];
    const next = this.#next[place] as number;
    if (this.#symbols[place] === -1 || next < 0) return;
    const rank = this.#merges.ranks.get(this.#symbols[place] as number, this.#symbols[next] as number);
    // Symbols may have changed since; the reference compares what they become.
    if (rank < 0 || this.#merges.merged[rank] !== token) return;
    this.#symbols[place] = token as number;
    this.#symbols[next] = -1;
    const after = this.#next[next] as number;
    this.#next[place] = after;
    if (after >= 0) this.#previous[after] = place;
    this.#offer(this.#previous[place] as number);
    this.#offer(place);
  }
}
