import { LatencyQuantiles } from "#tools/demo/traffic/latency-quantiles.ts";

/** Outcome of a request: "ok" or the cause of its failure, such as "HTTP 429". */
export type Outcome = string;

/** Outcomes by which a full server refuses a request; all others but "ok" are failures. */
const refusals: readonly string[] = ["HTTP 429", "gRPC RESOURCE_EXHAUSTED"];

export interface LoadCounts {
  readonly answered: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Errors by which a full server refused a request. */
  readonly rejected: number;
  /** All other errors. */
  readonly failed: number;
  /** Requests in flight when the run was ended early: neither answered nor failed. */
  readonly unanswered: number;
  /** Latency of answered requests in real ms; null without any. */
  readonly latencyMs: Readonly<Record<"p50" | "p95" | "p99" | "max", number | null>>;
}

/** Counts outcomes and latencies of requests. */
export class LoadTally {
  readonly #latencies = new LatencyQuantiles();
  readonly #errors = new Map<string, number>();
  #maxMs = 0;
  #unanswered = 0;

  record(outcome: Outcome, latencyMs: number): void {
    if (outcome !== "ok") {
      this.#errors.set(outcome, (this.#errors.get(outcome) ?? 0) + 1);
      return;
    }
    this.#latencies.record(latencyMs);
    this.#maxMs = Math.max(this.#maxMs, latencyMs);
  }

  recordUnanswered(): void {
    this.#unanswered += 1;
  }

  counts(): LoadCounts {
    const answered = this.#latencies.total;
    // Quantiles are accurate to 1 %: cap them at the maximum.
    const quantile = (share: number) => {
      const ms = this.#latencies.quantileMs(share);
      return ms === null ? null : Math.min(ms, this.#maxMs);
    };
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    const rejected = sum(refusals.map((refusal) => this.#errors.get(refusal) ?? 0));
    return {
      answered,
      errors: Object.fromEntries([...this.#errors].sort(([a], [b]) => a.localeCompare(b))),
      rejected,
      failed: sum([...this.#errors.values()]) - rejected,
      unanswered: this.#unanswered,
      latencyMs: {
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: answered === 0 ? null : this.#maxMs,
      },
    };
  }
}
