import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";

export interface FleetForecastParts {
  readonly forecaster: Forecaster;
  /** Returns the fleet's rates up to a minute. */
  readonly history: (lastMinuteMs: number) => readonly MinuteRate[];
  /** Length of the time whose highest rate counts. */
  readonly horizonMinutes: number;
  /** Called with each forecast and the rates that it was made from. */
  readonly onForecast: (history: readonly MinuteRate[], forecast: ForecastReport) => void;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Forecasts the rate of the whole fleet, a minute at a time. */
export class FleetForecast {
  readonly #parts: FleetForecastParts;
  #latest: ForecastReport | null = null;
  #made: { readonly lastMinuteMs: number; readonly peakQps: number | null } | null = null;

  constructor(parts: FleetForecastParts) {
    this.#parts = parts;
  }

  /** Latest forecast; null before the first, and after one that failed. */
  latest(): ForecastReport | null {
    return this.#latest;
  }

  /**
   * Returns the highest rate of the forecast path within the horizon; null without a usable forecast.
   * @param mayRepeat true: a forecast that was made after the same minute will do
   */
  async peakQps(lastMinuteMs: number, mayRepeat: boolean): Promise<number | null> {
    if (!mayRepeat || this.#made?.lastMinuteMs !== lastMinuteMs)
      this.#made = { lastMinuteMs, peakQps: await this.#forecast(lastMinuteMs) };
    return this.#made.peakQps;
  }

  async #forecast(lastMinuteMs: number): Promise<number | null> {
    const { forecaster, history: historyTo, horizonMinutes, onForecast, nowMs, log } = this.#parts;
    const history = historyTo(lastMinuteMs);
    if (!history.some(({ qps }) => qps !== null)) return null;
    try {
      const forecast = await forecaster.forecast(history, nowMs());
      this.#latest = forecast;
      onForecast(history, forecast);
      const steps = Math.max(1, Math.round((horizonMinutes * minuteMs) / forecast.stepMs));
      const peak = medianPeakQps(forecast, steps);
      return Number.isFinite(peak) ? peak : null;
    } catch (error) {
      log.error({ err: describeError(error) }, "the fleet's forecast failed");
      this.#latest = null;
      return null;
    }
  }
}
