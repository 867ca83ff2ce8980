import type { ForecastReport } from "#protocol/messages.ts";

/** Learns how far peaks exceed their forecasts, from forecasts whose time has come. */
export interface ForecastHeadroom {
  /** The rate of a minute that is over, texts a second. */
  observe(minuteStartMs: number, qps: number): void;
  /** Remembers a forecast, once, until its time has come. */
  note(forecast: ForecastReport): void;
  /**
   * What the rate will hardly exceed over the forecast's steps.
   * @param quantile the share of peaks that should stay below it.
   */
  upperQps(forecast: ForecastReport, quantile: number): number;
}

/** A day of forecasts, one a minute: nights and days are in it. */
const longestMemory = 24 * 60;
/** With fewer outcomes the assumed head-room holds. */
const fewestOutcomes = 30;
/** Of the forecast peak, until enough is learnt. */
const assumedFactor = 1.5;
const minuteMs = 60_000;

/** What the bound is built on: the forecast's own 0.95 quantile of the peak where it has one. */
const baseOf = ({ peakQps, qps }: ForecastReport) => peakQps?.q95 ?? Math.max(0, ...qps);

interface Pending {
  readonly forecast: ForecastReport;
  /** The minutes that the forecast speaks of, whose rates are known so far. */
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
 * The upper bound is the forecast's own quantile of the peak, moved to the quantile that is wanted here by split conformal prediction (Vovk
 * 2005) on the difference of the square roots of the peak that came and that bound: where requests come by chance that difference spreads
 * alike by night and by day (the variance-stabilising transform of counts, Bartlett 1936), so that a noisy night does not ask for much room
 * by day. A forecast without quantiles is bounded from its path's peak in the same way.
 */
export function createForecastHeadroom(): ForecastHeadroom {
  let pending: Pending[] = [];
  const inOrder: number[] = [];
  const sorted: number[] = [];

  const learn = (excess: number) => {
    inOrder.push(excess);
    sorted.splice(insertionPlace(sorted, excess), 0, excess);
    if (inOrder.length <= longestMemory) return;
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
        // Minutes that nobody counted may have held the peak: such a forecast tells nothing.
        if (!due(each) || each.came.size < minutesOf(each.forecast)) continue;
        learn(Math.sqrt(Math.max(...each.came.values())) - Math.sqrt(baseOf(each.forecast)));
      }
      pending = pending.filter((each) => !due(each));
    },
    note(forecast) {
      const last = pending.at(-1)?.forecast.madeAtMs;
      if (last === forecast.madeAtMs) return;
      // A clock set back: what was foretold for later will not be asked about.
      if (last !== undefined && forecast.madeAtMs < last) pending = [];
      pending.push({ forecast, came: new Map() });
    },
    upperQps(forecast, quantile) {
      const base = baseOf(forecast);
      const bounded = forecast.peakQps !== undefined;
      if (sorted.length < fewestOutcomes) return bounded ? base : base * assumedFactor;
      const rank = Math.min(sorted.length, Math.ceil((sorted.length + 1) * quantile));
      const excess = sorted[rank - 1] as number;
      // A path's own peak is never a bound; a quantile may ask for more than is wanted here.
      return Math.max(0, Math.sqrt(base) + (bounded ? excess : Math.max(0, excess))) ** 2;
    },
  };
}
