import { TrafficBlend } from "#forecast/blend/traffic-blend.ts";
import { maxGaps } from "#forecast/data/sample-windows.ts";
import type { RateSeries } from "#forecast/data/training-samples.ts";
import { fillGaps, inputMinutes } from "#forecast/data/window-features.ts";
import type { PeakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { createPeakRidge, recentPeak } from "#forecast/simple/recent-peak-models.ts";
import { createSimpleModels } from "#forecast/simple/simple-models.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

/** Returns a network's forecasts, one for each origin, of the given number of steps (at most 15). */
export type NetworkForecasts = (
  series: RateSeries,
  origins: readonly number[],
  stepMs: number,
  steps: number,
) => number[][];

export interface ReplayOptions {
  readonly stepMs: number;
  readonly steps: number;
  /** null: the network does not take part. */
  readonly network: NetworkForecasts | null;
}

/** Forecasts and actual rates, origin by origin. */
export interface Replay {
  /** Indices into the series, in order of time; the quantiles start with those before `judgedFrom`, the ones from it on are judged. */
  readonly origins: readonly number[];
  readonly judgedFrom: number;
  /** Actual rates in the steps from each origin on. */
  readonly actual: readonly (readonly number[])[];
  /** Each model's forecasts; null where its record was too short. */
  readonly forecasts: ReadonlyMap<string, readonly (readonly number[] | null)[]>;
  /** The champion's forecasts. */
  readonly served: readonly Served[];
}

/** Forecast of the champion at one origin. */
export interface Served {
  readonly shares: Readonly<Record<string, number>>;
  /** Quantiles 0.5, 0.9 and 0.95 of each step. */
  readonly path: readonly (readonly number[])[];
  readonly peak: PeakQuantiles;
  readonly networkPeak: PeakQuantiles | null;
}

const maxHistoryMs = 14 * dayMs;
const simpleModelNames = [...createSimpleModels(), recentPeak, createPeakRidge()].map(({ name }) => name);

/** Finds at most `maxOrigins` origins, evenly spread, with enough record before them and all steps counted after them. */
export function usableOrigins(
  qps: readonly (number | null)[],
  from: number,
  to: number,
  steps: number,
  maxOrigins: number,
): number[] {
  const origins: number[] = [];
  for (let origin = Math.max(from, inputMinutes); origin + steps <= to; origin += 1) {
    const before = qps.slice(origin - inputMinutes, origin);
    if (before.filter((rate) => rate === null).length > maxGaps || !before.some((rate) => (rate ?? 0) > 0)) continue;
    if (!qps.slice(origin, origin + steps).includes(null)) origins.push(origin);
  }
  const stride = Math.ceil(origins.length / maxOrigins);
  return origins.filter((_, index) => index % stride === 0);
}

/** Makes every model's forecasts at every origin, in order of time, the champion's among them. */
export function replayForecasts(series: RateSeries, origins: readonly number[], options: ReplayOptions) {
  const { stepMs, steps } = options;
  const filled = fillGaps(series.qps);
  const network = options.network?.(series, origins, stepMs, steps) ?? null;
  // The network was trained on minutes: with other steps it must earn its share first.
  const starter = network === null || stepMs !== minuteMs ? "moving-average" : "lstm";
  const blend = new TrafficBlend({ stepMs, steps, starter, rests: false });
  const forecasts = new Map<string, (readonly number[] | null)[]>();
  const served: Served[] = [];
  const maxHistorySteps = Math.round(maxHistoryMs / stepMs);
  for (const [row, origin] of origins.entries()) {
    const qps = filled.slice(Math.max(0, origin - maxHistorySteps), origin);
    const history = { qps, stepMs, endMs: series.startMs + origin * stepMs, calendar: series.calendar };
    runToEnd(blend.learn(history));
    const { blended, byModel, peak, networkPeak } = blend.forecast(
      history,
      (startMs) => series.qps[Math.round((startMs - series.startMs) / stepMs)],
      network?.[row] ?? null,
    );
    for (const [name, forecast] of byModel) {
      const list = forecasts.get(name) ?? new Array<null>(row).fill(null);
      forecasts.set(name, list);
      list.push(forecast);
    }
    for (const list of forecasts.values()) if (list.length === row) list.push(null);
    const start = byModel.get(starter) ?? new Array<number>(steps).fill(0);
    served.push({
      shares: blended?.shares ?? { [starter]: 1 },
      path: blended === null ? [start, start, start] : [blended.qps, blended.qps90, blended.qps95],
      peak,
      networkPeak,
    });
  }
  const names = options.network === null ? simpleModelNames : ["lstm", ...simpleModelNames];
  return { forecasts, served, leftOut: names.filter((name) => forecasts.get(name)?.includes(null) ?? true) };
}
