const minMs = 0.1;
/** Ratio of the limits of neighbouring buckets: quantiles are accurate to 1 %, and 900 numbers cover hours of requests. */
const growth = 1.02;
const bucketCount = 900;

/** Histogram of latencies, with bounded memory for any number of requests. */
export class LatencyQuantiles {
  readonly #counts = new Uint32Array(bucketCount);
  #total = 0;

  record(latencyMs: number): void {
    const bucket = Math.floor(Math.log(Math.max(latencyMs, minMs) / minMs) / Math.log(growth));
    const index = Math.min(bucketCount - 1, bucket);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  get total(): number {
    return this.#total;
  }

  /** Quantile (0 to 1) of the latencies in ms; null without any. */
  quantileMs(quantile: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(quantile * this.#total));
    let seen = 0;
    let index = 0;
    for (; index < bucketCount; index += 1) {
      seen += this.#counts[index] ?? 0;
      if (seen >= rank) break;
    }
    return minMs * growth ** (index + 0.5);
  }
}
