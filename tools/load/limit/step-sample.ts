import type { EndedRequest } from "../run-load.ts";

/** Requests of one rate, those of its warm-up left out. */
export interface StepSample {
  /** Requests per second that were due. */
  readonly rate: number;
  readonly durationMs: number;
  /** In any order; `dueMs` counts from the end of the warm-up. */
  readonly requests: readonly Pick<EndedRequest, "dueMs" | "outcome" | "latencyMs" | "lateMs">[];
}

/** Quantile (0 to 1) by nearest rank; null without values. */
export function quantileOf(values: readonly number[], quantile: number): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? null;
}

/** Joins samples of one rate, one after the other. */
export function joinSamples(first: StepSample, second: StepSample): StepSample {
  const later = second.requests.map((request) => ({ ...request, dueMs: request.dueMs + first.durationMs }));
  return {
    rate: first.rate,
    durationMs: first.durationMs + second.durationMs,
    requests: [...first.requests, ...later],
  };
}
