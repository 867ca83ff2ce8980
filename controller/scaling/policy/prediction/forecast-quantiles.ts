import { ForecastMisses } from "#controller/scaling/fleet-plan/forecast-misses.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { QuantileForecast } from "./prediction-rules.ts";

const leadMinutes = 15;

/** Returns the quantile that is learnt for a confidence: half way between it and certainty. */
export const quantileFor = (confidence: number): number => (1 + confidence) / 2;

/** Makes a quantile of the fleet's forecasts out of how far off they were. */
export class ForecastQuantiles {
  readonly #level: number;
  readonly #misses: ForecastMisses;
  #lastLearntMs = Number.NEGATIVE_INFINITY;
  #newest: { readonly madeAtMs: number; readonly expectedQps: readonly number[] } | null = null;

  /** @param level share of minutes whose rate should stay below the quantile. */
  constructor(level: number) {
    this.#level = level;
    this.#misses = new ForecastMisses(level);
  }

  /** Records what came and what is now forecast. */
  observe(history: readonly MinuteRate[], { stepMs, qps, madeAtMs }: ForecastReport): void {
    for (const { minuteStartMs, qps: rate } of history) {
      if (minuteStartMs <= this.#lastLearntMs) continue;
      if (rate !== null) this.#misses.learn(minuteStartMs / minuteMs, rate);
      this.#lastLearntMs = minuteStartMs;
    }
    const perStep = Math.max(1, Math.round(stepMs / minuteMs));
    const known = Math.min(leadMinutes, qps.length * perStep);
    const expectedQps = Array.from({ length: known }, (_, minute) => qps[Math.floor(minute / perStep)] as number);
    this.#misses.note(this.#lastLearntMs / minuteMs + 1, expectedQps);
    this.#newest = { madeAtMs, expectedQps };
  }

  /** Returns the newest forecast's quantile; null before the first. */
  forecast(nowMs: number): QuantileForecast | null {
    if (this.#newest === null || this.#newest.expectedQps.length === 0) return null;
    const { madeAtMs, expectedQps } = this.#newest;
    const qps = this.#misses.highQps(expectedQps);
    return { ageS: Math.max(0, (nowMs - madeAtMs) / 1000), stepS: 60, quantiles: [{ level: this.#level, qps }] };
  }
}
