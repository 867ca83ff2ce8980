/** Learns by what forecasts must be multiplied to be exceeded with a given probability. */
export interface RecentRatios {
  /** A forecast made for the time from `endMs` on, and what came. */
  observe(endMs: number, forecast: number, actual: number): void;
  /** Whether enough is known for factors of its own. */
  ready(): boolean;
  /** One factor for each quantile, at `nowMs`. */
  factors(nowMs: number): readonly number[];
}

const memoryMs = 86_400_000;
/** Where forecasts are rare, more than a day is remembered. */
const minRemembered = 100;
/** Before so many outcomes the assumed factors hold. */
const minOutcomes = 20;
const relearnMs = 600_000;

/**
 * Split conformal prediction (Vovk 2005) on the ratios of what came to what was forecast in the newest day: the ⌈(n + 1) · quantile⌉-th
 * smallest. Forecasts of zero tell nothing and are left out.
 * @param assumed the factors until enough is known.
 */
export function createRecentRatios(quantiles: readonly number[], assumed: readonly number[]): RecentRatios {
  let outcomes: { readonly endMs: number; readonly ratio: number }[] = [];
  let learnt = assumed;
  let learntMs = Number.NEGATIVE_INFINITY;

  return {
    observe(endMs, forecast, actual) {
      const ratio = actual / forecast;
      if (Number.isFinite(ratio)) outcomes.push({ endMs, ratio });
    },
    ready: () => outcomes.length >= minOutcomes,
    factors(nowMs) {
      if (outcomes.length < minOutcomes) return assumed;
      if (nowMs - learntMs < relearnMs && nowMs >= learntMs) return learnt;
      const recent = outcomes.filter(({ endMs }) => endMs > nowMs - memoryMs);
      outcomes = recent.length >= minRemembered ? recent : outcomes.slice(-minRemembered);
      const sorted = Float64Array.from(outcomes, ({ ratio }) => ratio).sort();
      const count = sorted.length;
      learnt = quantiles.map((quantile) => sorted[Math.min(count, Math.ceil((count + 1) * quantile)) - 1] as number);
      learntMs = nowMs;
      return learnt;
    },
  };
}
