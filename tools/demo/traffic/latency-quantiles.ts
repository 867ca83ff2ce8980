const lowestMs = 0.1;
/** Each bucket ends 2 % above the one before: a quantile is right to 1 %, and hours of requests need no more than 900 numbers. */
const growth = 1.02;
const bucketCount = 900;

/** Counts real latencies of any number of requests in bounded memory. */
export class LatencyQuantiles {
  readonly #counts = new Uint32Array(bucketCount);
  #total = 0;

  record(latencyMs: number): void {
    const bucket = Math.floor(Math.log(Math.max(latencyMs, lowestMs) / lowestMs) / Math.log(growth));
    const index = Math.min(bucketCount - 1, bucket);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  get total(): number {
    return this.#total;
  }

  /** The latency in ms that a share `quantile` (0..1) of the requests stayed under; null without any request. */
  quantileMs(quantile: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(quantile * this.#total));
    let seen = 0;
    let index = 0;
    for (; index < bucketCount; index += 1) {
      seen += this.#counts[index] ?? 0;
      if (seen >= rank) break;
    }
    return lowestMs * growth ** (index + 0.5);
  }
}
