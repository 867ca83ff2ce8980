import { pathMaxQps } from "#forecast/median-peak.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";

/** Learns by how much peaks exceed their forecasts, from forecasts whose minutes are over. */
export interface ForecastHeadroom {
  /** Takes in the rate of a minute that is over, texts per second. */
  observe(minuteStartMs: number, qps: number): void;
  /** Remembers a forecast until its minutes are over. */
  note(forecast: ForecastReport): void;
  /**
   * Returns the upper bound of the peak over the forecast's steps.
   * @param quantile share of peaks that should stay below it
   */
  upperQps(forecast: ForecastReport, quantile: number): number;
}

/** Maximum outcomes: a day and a night of forecasts, one a minute. */
const maxOutcomes = 24 * 60;
/** With fewer outcomes the assumed headroom applies. */
const minOutcomes = 30;
/** Assumed upper bound by the path maximum. */
const assumedFactor = 1.5;

/** Base of the bound: the forecast's own 0.95 quantile of the peak, else its path maximum. */
const baseOf = (forecast: ForecastReport) => forecast.peakQps?.q95 ?? pathMaxQps(forecast);

interface Pending {
  readonly forecast: ForecastReport;
  /** Rates of the forecast's minutes that are over. */
  readonly came: Map<number, number>;
}

function insertionPlace(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The upper bound is the forecast's own quantile of the peak, moved to the desired quantile by split conformal prediction (Vovk 2005) on the
 * difference between the square roots of the actual peak and of that quantile. With random arrivals the difference has the same spread by
 * night and by day (the variance-stabilising transform of counts, Bartlett 1936), so a noisy night does not cost headroom by day. A
 * forecast without quantiles is bounded from its path maximum in the same way.
 */
export function createForecastHeadroom(): ForecastHeadroom {
  let pending: Pending[] = [];
  const inOrder: number[] = [];
  const sorted: number[] = [];

  const learn = (excess: number) => {
    inOrder.push(excess);
    sorted.splice(insertionPlace(sorted, excess), 0, excess);
    if (inOrder.length <= maxOutcomes) return;
    const oldest = inOrder.shift() as number;
    sorted.splice(insertionPlace(sorted, oldest), 1);
  };
  const firstMinuteMs = ({ madeAtMs }: ForecastReport) => Math.floor(madeAtMs / minuteMs) * minuteMs;
  const minutesOf = ({ qps, stepMs }: ForecastReport) => Math.max(1, Math.round((qps.length * stepMs) / minuteMs));

  return {
    observe(minuteStartMs, qps) {
      if (!Number.isFinite(qps)) return;
      for (const { forecast, came } of pending) {
        const index = (minuteStartMs - firstMinuteMs(forecast)) / minuteMs;
        if (index >= 0 && index < minutesOf(forecast)) came.set(minuteStartMs, qps);
      }
      const nowMs = minuteStartMs + minuteMs;
      const due = ({ forecast }: Pending) => firstMinuteMs(forecast) + minutesOf(forecast) * minuteMs <= nowMs;
      for (const each of pending) {
        // The peak may have been in a minute that was not counted: such a forecast is no evidence.
        if (!due(each) || each.came.size < minutesOf(each.forecast)) continue;
        learn(Math.sqrt(Math.max(...each.came.values())) - Math.sqrt(baseOf(each.forecast)));
      }
      pending = pending.filter((each) => !due(each));
    },
    note(forecast) {
      const last = pending.at(-1)?.forecast.madeAtMs;
      if (last === forecast.madeAtMs) return;
      // The clock was set back: forecasts of later minutes will never be compared.
      if (last !== undefined && forecast.madeAtMs < last) pending = [];
      pending.push({ forecast, came: new Map() });
    },
    upperQps(forecast, quantile) {
      const base = baseOf(forecast);
      const bounded = forecast.peakQps !== undefined;
      if (sorted.length < minOutcomes) return bounded ? base : base * assumedFactor;
      const rank = Math.min(sorted.length, Math.ceil((sorted.length + 1) * quantile));
      const excess = sorted[rank - 1] as number;
      // The bound is never below a path maximum; a quantile may be above the desired one.
      return Math.max(0, Math.sqrt(base) + (bounded ? excess : Math.max(0, excess))) ** 2;
    },
  };
}
