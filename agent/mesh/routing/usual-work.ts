import { sizeClass } from "./latency-estimate.ts";

/** Step of an estimate, as a share of it. */
const gain = 0.03;
/** Times that the work at one peer may be more than usual: a device that computes many texts at once takes longer for each. */
const credit = 4;

/**
 * Work of a request by its size: the time that it takes at a peer, times that peer's capacity. All peers teach it together, so that a router
 * that hears of each of them seldom knows what a long text takes at one that it never sent any.
 */
export class UsualWork {
  readonly #work = new Map<number, number>();

  record(tokens: number, ms: number, capacityQps: number): void {
    const size = sizeClass(tokens);
    const work = ms * capacityQps;
    const known = this.#work.get(size);
    // By steps of one size it tends to the median: some that wait long, or state a wrong capacity, don't move it.
    this.#work.set(size, known === undefined ? work : known * (work > known ? 1 + gain : 1 - gain));
  }

  /**
   * Returns the capacity that can be believed of a peer: what it states, unless its shortest answers take many times as long as at that capacity.
   * @param leastMs shortest time of late for a request of this size there; null: not known
   */
  believable(capacityQps: number, tokens: number, leastMs: number | null): number {
    const known = this.#work.get(sizeClass(tokens));
    if (known === undefined || leastMs === null || leastMs <= 0) return capacityQps;
    return Math.min(capacityQps, (credit * known) / leastMs);
  }

  /** Returns the time that a request takes at a peer of this capacity; null until one of its size was answered anywhere. */
  ms(tokens: number, capacityQps: number): number | null {
    const known = this.#work.get(sizeClass(tokens));
    return known === undefined || capacityQps <= 0 ? null : known / capacityQps;
  }
}
