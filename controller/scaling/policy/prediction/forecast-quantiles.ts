import { createForecastMisses, type ForecastMisses } from "#controller/scaling/fleet-plan/forecast-misses.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { QuantileForecast } from "./prediction-rules.ts";

const minuteMs = 60_000;
const leadMinutes = 15;

/** Makes a quantile of the fleet's forecasts out of how far off they were. */
export interface ForecastQuantiles {
  /** Takes note of what came and of what is now forecast. */
  observe(history: readonly MinuteRate[], forecast: ForecastReport): void;
  /** The newest forecast's quantile; null before the first. */
  forecast(nowMs: number): QuantileForecast | null;
}

/** @param level the share of minutes that should stay below it. */
export function createForecastQuantiles(level: number): ForecastQuantiles {
  const misses: ForecastMisses = createForecastMisses(level);
  let lastLearntMs = Number.NEGATIVE_INFINITY;
  let newest: { readonly madeAtMs: number; readonly expectedQps: readonly number[] } | null = null;
  return {
    observe(history, { stepMs, qps, madeAtMs }) {
      for (const { minuteStartMs, qps: rate } of history) {
        if (minuteStartMs <= lastLearntMs) continue;
        if (rate !== null) misses.learn(minuteStartMs / minuteMs, rate);
        lastLearntMs = minuteStartMs;
      }
      const perStep = Math.max(1, Math.round(stepMs / minuteMs));
      const known = Math.min(leadMinutes, qps.length * perStep);
      const expectedQps = Array.from({ length: known }, (_, minute) => qps[Math.floor(minute / perStep)] as number);
      misses.note(lastLearntMs / minuteMs + 1, expectedQps);
      newest = { madeAtMs, expectedQps };
    },
    forecast(nowMs) {
      if (newest === null || newest.expectedQps.length === 0) return null;
      const qps = misses.highQps(newest.expectedQps);
      return { ageS: Math.max(0, (nowMs - newest.madeAtMs) / 1000), stepS: 60, quantiles: [{ level, qps }] };
    },
  };
}
