import { dayMs, minuteMs } from "#platform/time.ts";

/** Factors by which forecasts must be multiplied to be exceeded with a given probability, learnt from their past ratios. */
export interface RecentRatios {
  /** Learns from a forecast for the time that began at `endMs`. */
  observe(endMs: number, forecast: number, actual: number): void;
  /** Tells if enough is known for learnt factors. */
  ready(): boolean;
  /** Returns one factor for each quantile, as of `nowMs`. */
  factors(nowMs: number): readonly number[];
}

const memoryMs = dayMs;
/** Outcomes that are remembered for longer than a day where forecasts are rare. */
const minRemembered = 100;
/** Outcomes before which the assumed factors hold. */
const minOutcomes = 20;
const relearnMs = 10 * minuteMs;

/**
 * Split conformal prediction (Vovk 2005) on the ratios actual / forecast of the newest day: the ⌈(n + 1) · quantile⌉-th smallest.
 * Forecasts of zero have no ratio and are left out.
 * @param assumed factors until enough is known.
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
