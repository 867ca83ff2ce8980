import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import type { ForecastAccuracy, ForecastChampion } from "./report.ts";

/** Model that forecasts the fleet's traffic at the end, and why, by the newest forecast for which it was chosen; null without a forecast. */
export function championOf(
  forecasts: readonly Pick<ForecastReport, "model" | "reason" | "shares">[],
): ForecastChampion | null {
  const chosen = forecasts.findLast(({ shares }) => shares !== undefined) ?? forecasts.at(-1);
  if (chosen === undefined) return null;
  return { model: chosen.model, shares: chosen.shares ?? { [chosen.model]: 1 }, reason: chosen.reason };
}

/**
 * Compares the controller's forecasts of the fleet's traffic with the actual traffic, by model. Counts only steps before `endMs`, and only forecasts
 * whose newest known minute lies within the run.
 *
 * @param actualQps requests per second in the minute that begins at a time
 * @param startMs start of the traffic
 */
export function measureForecasts(
  forecasts: readonly Pick<ForecastReport, "madeAtMs" | "model" | "stepMs" | "qps">[],
  actualQps: (minuteStartMs: number) => number,
  startMs: number,
  endMs: number,
): ForecastAccuracy[] {
  const sums = new Map<string, { forecasts: number; error: number; lastValueError: number; actual: number }>();
  for (const { madeAtMs, model, stepMs, qps } of forecasts) {
    const minute = Math.floor(madeAtMs / minuteMs) * minuteMs;
    if (minute - minuteMs < startMs || minute + stepMs > endMs) continue;
    const sum = sums.get(model) ?? { forecasts: 0, error: 0, lastValueError: 0, actual: 0 };
    sums.set(model, sum);
    sum.forecasts += 1;
    const lastValue = actualQps(minute - minuteMs);
    for (const [step, forecast] of qps.entries()) {
      const stepStartMs = minute + step * stepMs;
      if (stepStartMs + stepMs > endMs) break;
      const actual = actualQps(stepStartMs);
      sum.error += Math.abs(forecast - actual);
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
