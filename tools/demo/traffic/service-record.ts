import { minuteMs } from "#platform/time.ts";
import { LatencyQuantiles } from "./latency-quantiles.ts";
import type { SendResult } from "./send-embedding.ts";

/** Service that users are promised: the defaults of the controller's `slo`. */
export const promised = { p95Ms: 1000, availability: 0.999 } as const;

/** Service that users got in a stretch of time. */
export interface Service {
  readonly requests: number;
  /** Requests without a vector in the end. */
  readonly failed: number;
  /** Requests that an agent refused because its queue was full; they were sent again. */
  readonly refused: number;
  /** Milliseconds of real time; null without an answer. */
  readonly p95Ms: number | null;
  /** Minutes of the clock with requests, and those in which users did not get what they are promised. */
  readonly minutes: number;
  readonly missedMinutes: number;
  /** Start of the first minute since which all were kept; null if the newest was not. */
  readonly keptSinceMs: number | null;
  /** Answered requests by the place that answered, as the clients were told. */
  readonly servedBy: Readonly<Record<string, number>>;
}

interface Minute {
  requests: number;
  lost: number;
  slow: number;
}

const isMissed = ({ requests, lost, slow }: Minute) =>
  lost > requests * (1 - promised.availability) || slow > requests * 0.05;

/** Counts what users got, minute by minute of the clock. */
export class ServiceRecord {
  readonly #latencies = new LatencyQuantiles();
  readonly #minutes = new Map<number, Minute>();
  readonly #servedBy = new Map<string, number>();
  #failed = 0;
  #refused = 0;

  /** @param sentAtMs clock time */
  record(sentAtMs: number, { ok, latencyMs, refusals, servedBy }: SendResult): void {
    const startMs = Math.floor(sentAtMs / minuteMs) * minuteMs;
    const minute = this.#minutes.get(startMs) ?? { requests: 0, lost: 0, slow: 0 };
    this.#minutes.set(startMs, minute);
    minute.requests += 1;
    if (!ok) this.#failed += 1;
    if (refusals > 0) this.#refused += 1;
    if (!ok || refusals > 0) minute.lost += 1;
    if (latencyMs > promised.p95Ms) minute.slow += 1;
    if (ok) this.#latencies.record(latencyMs);
    if (ok) this.#servedBy.set(servedBy ?? "unknown", (this.#servedBy.get(servedBy ?? "unknown") ?? 0) + 1);
  }

  summary(): Service {
    const minutes = [...this.#minutes.values()];
    const startsMs = [...this.#minutes.keys()].toSorted((a, b) => a - b);
    const lastMissed = startsMs.findLastIndex((startMs) => isMissed(this.#minutes.get(startMs) as Minute));
    return {
      requests: minutes.reduce((sum, { requests }) => sum + requests, 0),
      failed: this.#failed,
      refused: this.#refused,
      p95Ms: this.#latencies.quantileMs(0.95),
      minutes: minutes.length,
      missedMinutes: minutes.filter(isMissed).length,
      keptSinceMs: startsMs[lastMissed + 1] ?? null,
      servedBy: Object.fromEntries(this.#servedBy),
    };
  }
}
