import { sizeClass } from "./latency-estimate.ts";

/** Steps of an estimate, as a share of it. Steps down are four times as large as up, so that it tends to the value that four fifths of the answers exceed: the rest waited. */
const stepDown = 0.03;
const stepUp = stepDown / 4;
/** Time in which it is forgotten while nobody answers: peers that all were too slow are tried again. */
const forgetMs = 10_000;
/** Times that the work at one peer may be more than usual: a device that computes many texts at once takes longer for each. */
const credit = 4;

/**
 * Work of a request by its size: the time that it takes at a peer, times that peer's capacity. All peers teach it together, so that a router
 * that hears of each of them seldom knows what a long text takes at one that it never sent any.
 */
export class UsualWork {
  /** By size class. */
  readonly #known: ({ work: number; atMs: number } | undefined)[] = [];

  /** @param nowMs monotonic clock */
  record(tokens: number, ms: number, capacityQps: number, nowMs: number): void {
    const size = sizeClass(tokens);
    const work = ms * capacityQps;
    const known = this.#known[size];
    if (known === undefined) {
      this.#known[size] = { work, atMs: nowMs };
      return;
    }
    known.atMs = nowMs;
    known.work *= work > known.work ? 1 + stepUp : 1 - stepDown;
  }

  /**
   * Returns the capacity that can be believed of a peer: what it states, unless its shortest answers take many times as long as at that capacity.
   * @param leastMs shortest time of late for a request of this size there; null: unknown
   */
  believable(capacityQps: number, tokens: number, leastMs: number | null): number {
    const known = this.#known[sizeClass(tokens)];
    if (known === undefined || leastMs === null || leastMs <= 0) return capacityQps;
    return Math.min(capacityQps, (credit * known.work) / leastMs);
  }

  /** Returns the time that a request takes at a peer of this capacity; null until one of its size was answered anywhere. */
  ms(tokens: number, capacityQps: number, nowMs: number): number | null {
    const known = this.#known[sizeClass(tokens)];
    if (known === undefined || capacityQps <= 0) return null;
    return (known.work / capacityQps) * Math.exp(-Math.max(0, nowMs - known.atMs) / forgetMs);
  }
}
