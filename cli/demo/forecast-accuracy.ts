import type { ForecastAccuracy } from "./report.ts";

/** One agent's forecast, as the controller passed it on. */
export interface AgentForecast {
  readonly agentId: string;
  readonly madeAtMs: number;
  readonly model: string;
  readonly stepMs: number;
  /** Requests a second in each step from `madeAtMs`'s minute on. */
  readonly qps: readonly number[];
}

const minuteMs = 60_000;

interface FleetForecast {
  readonly madeInMinuteMs: number;
  readonly stepMs: number;
  readonly model: string;
  readonly qps: readonly number[];
}

/** The forecast of the most traffic gives the sum its name. */
function sumForecasts(madeInMinuteMs: number, forecasts: readonly AgentForecast[]): FleetForecast | null {
  const [first] = forecasts;
  if (first === undefined) return null;
  const volume = (forecast: AgentForecast) => forecast.qps.reduce((sum, qps) => sum + qps, 0);
  const largest = forecasts.reduce((best, forecast) => (volume(forecast) > volume(best) ? forecast : best), first);
  const qps = largest.qps.map((_, step) => forecasts.reduce((sum, forecast) => sum + (forecast.qps[step] ?? 0), 0));
  return { madeInMinuteMs, stepMs: largest.stepMs, model: largest.model, qps };
}

/**
 * Compares the fleet's forecast (the sum of its agents', because traffic moves between them when roles change) with what was asked
 * for, by model. Only minutes for which all of `agentCount` agents have a forecast count, and only steps that lie before `endMs`.
 *
 * @param actualQps requests a second in the minute that begins at a time, from `startMs` on
 */
export function measureForecasts(
  forecasts: readonly AgentForecast[],
  agentCount: number,
  actualQps: (minuteStartMs: number) => number,
  startMs: number,
  endMs: number,
): ForecastAccuracy[] {
  const byMinute = new Map<number, Map<string, AgentForecast>>();
  for (const forecast of forecasts) {
    const minute = Math.floor(forecast.madeAtMs / minuteMs) * minuteMs;
    const agents = byMinute.get(minute) ?? new Map<string, AgentForecast>();
    byMinute.set(minute, agents.set(forecast.agentId, forecast));
  }
  const sums = new Map<string, { forecasts: number; error: number; lastValueError: number; actual: number }>();
  for (const [minute, agents] of byMinute) {
    const fleet = agents.size === agentCount ? sumForecasts(minute, [...agents.values()]) : null;
    if (fleet === null || minute - minuteMs < startMs || minute + fleet.stepMs > endMs) continue;
    const sum = sums.get(fleet.model) ?? { forecasts: 0, error: 0, lastValueError: 0, actual: 0 };
    sums.set(fleet.model, sum);
    sum.forecasts += 1;
    const lastValue = actualQps(minute - minuteMs);
    for (const [step, qps] of fleet.qps.entries()) {
      const stepStartMs = minute + step * fleet.stepMs;
      if (stepStartMs + fleet.stepMs > endMs) break;
      const actual = actualQps(stepStartMs);
      sum.error += Math.abs(qps - actual);
      sum.lastValueError += Math.abs(lastValue - actual);
      sum.actual += actual;
    }
  }
  return [...sums].map(([model, { forecasts: count, error, lastValueError, actual }]) => ({
    model,
    forecasts: count,
    wape: actual > 0 ? error / actual : null,
    lastValueWape: actual > 0 ? lastValueError / actual : null,
  }));
}
