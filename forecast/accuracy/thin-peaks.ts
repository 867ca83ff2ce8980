import { minuteMs } from "#platform/time.ts";
import type { ForecastPeak } from "./forecast-table.ts";

/** Peaks of the forecasts of a stretch of time, beside those that came; means of its forecasts. */
export interface PeakStretch {
  readonly startMs: number;
  readonly forecasts: number;
  readonly forecastQps: number;
  /** 0.95 quantile; null: its forecasts have none. */
  readonly upperQps: number | null;
  readonly actualQps: number;
  /** Forecasts whose peak was judged by its 0.95 quantile, and those above it. */
  readonly judged: number;
  readonly above: number;
  /** Model model that made most of them. */
  readonly model: string;
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function stretchOf(startMs: number, peaks: readonly ForecastPeak[]): PeakStretch {
  const upper = peaks.flatMap(({ upperQps }) => upperQps ?? []);
  const byModel = [...Map.groupBy(peaks, ({ model }) => model)].sort(([, a], [, b]) => b.length - a.length);
  return {
    ...{ startMs, forecasts: peaks.length, forecastQps: meanOf(peaks.map(({ forecastQps }) => forecastQps)) },
    upperQps: upper.length === 0 ? null : meanOf(upper),
    actualQps: meanOf(peaks.map(({ actualQps }) => actualQps)),
    judged: peaks.filter(({ covered }) => covered !== null).length,
    above: peaks.filter(({ covered }) => covered === false).length,
    model: byModel[0]?.[0] ?? "",
  };
}

/** Sums up peaks in at most `maxStretches` stretches of whole minutes; times without a forecast are absent. */
export function thinPeaks(
  peaks: readonly ForecastPeak[],
  fromMs: number,
  toMs: number,
  maxStretches: number,
): PeakStretch[] {
  const lengthMs = Math.max(1, Math.ceil((toMs - fromMs) / maxStretches / minuteMs)) * minuteMs;
  const groups = Map.groupBy(peaks, ({ startMs }) => Math.floor((startMs - fromMs) / lengthMs));
  return [...groups].sort(([a], [b]) => a - b).map(([index, of]) => stretchOf(fromMs + index * lengthMs, of));
}
