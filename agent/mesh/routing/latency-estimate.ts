/** Upper ends of the classes of requests by their tokens, which have a latency of their own each. */
const classEnds = [32, 128, 512, 2048, Number.POSITIVE_INFINITY];
/** Weight of a new latency below the mean. A slower one counts at once for half. */
const gain = 0.1;
const gainUp = 0.5;
/** Step of the estimated 95th percentile, as a share of the mean. */
const step = 0.05;

/** Time in which a latency is forgotten, so that a backend that was slow is tried again. */
const forgetMs = 10_000;

/** Least time in which a wait is taken to be over. */
const minDrainMs = 200;
/** Weights of a new latency for the time without a wait: a shorter one counts at once for half. */
const floorGain = 0.02;
const floorGainDown = 0.5;

interface ClassLatency {
  atMs: number;
  mean: number;
  /** Time without a wait: about the shortest of late. */
  floor: number;
  p95: number;
  count: number;
}

/** Returns the size class of a request of so many tokens. */
export function sizeClass(tokens: number): number {
  let size = 0;
  while (tokens > (classEnds[size] as number)) size += 1;
  return size;
}

/**
 * Latency of one backend by size of request: a mean that rises at once and falls slowly (as Finagle's peak EWMA does), and a 95th percentile
 * that each answer moves a step, so that 5 % are above it.
 */
export class LatencyEstimate {
  /** By size class. */
  readonly #classes: (ClassLatency | undefined)[] = classEnds.map(() => undefined);

  /** @param nowMs monotonic clock */
  record(tokens: number, ms: number, nowMs: number): void {
    const known = this.#classes[sizeClass(tokens)];
    if (known === undefined) {
      this.#classes[sizeClass(tokens)] = { atMs: nowMs, mean: ms, floor: ms, p95: 2 * ms, count: 1 };
      return;
    }
    known.atMs = nowMs;
    known.mean += (ms > known.mean ? gainUp : gain) * (ms - known.mean);
    known.floor += (ms > known.floor ? floorGain : floorGainDown) * (ms - known.floor);
    const size = step * known.mean;
    known.p95 = Math.max(known.mean, known.p95 + (ms > known.p95 ? 19 * size : -size) * 0.2);
    known.count += 1;
  }

  /**
   * Returns the expected latency of a request; of a size that was not seen, by the nearest one that was; null without any. What is above the
   * shortest was a wait, and a queue is worked off in the time that it lasts: one that had a queue is asked again soon.
   * @param usualMs what is known without it, to which an old estimate returns; null: nothing
   */
  expectedMs(tokens: number, nowMs: number, usualMs: number | null = null): number | null {
    const known = usualMs === null ? this.#nearest(tokens) : this.#classes[sizeClass(tokens)];
    if (known === undefined) return usualMs;
    const ageMs = Math.max(0, nowMs - known.atMs);
    const waitMs = Math.max(0, known.mean - known.floor);
    const leftMs = waitMs === 0 ? 0 : waitMs * Math.exp(-ageMs / Math.max(minDrainMs, waitMs));
    const forgotten = usualMs ?? 0;
    return forgotten + (known.floor + leftMs - forgotten) * Math.exp(-ageMs / forgetMs);
  }

  /** Returns about the shortest time of late for requests of this size; null without any. */
  leastMs(tokens: number): number | null {
    return this.#classes[sizeClass(tokens)]?.floor ?? null;
  }

  /** Returns the time in which 95 % of such requests are answered; null until twenty were. */
  p95Ms(tokens: number): number | null {
    const known = this.#classes[sizeClass(tokens)];
    return known === undefined || known.count < 20 ? null : known.p95;
  }

  /** Returns the 95th percentile of the slowest size that was seen, however few answers there were; null without any. */
  slowestMs(): number | null {
    let slowest: number | null = null;
    for (const known of this.#classes) if (known !== undefined) slowest = Math.max(slowest ?? 0, known.p95);
    return slowest;
  }

  #nearest(tokens: number): ClassLatency | undefined {
    const wanted = sizeClass(tokens);
    const same = this.#classes[wanted];
    if (same !== undefined) return same;
    let best: ClassLatency | undefined;
    let distance = Number.POSITIVE_INFINITY;
    for (const [size, known] of this.#classes.entries()) {
      if (known === undefined || Math.abs(size - wanted) >= distance) continue;
      distance = Math.abs(size - wanted);
      best = known;
    }
    return best;
  }
}
