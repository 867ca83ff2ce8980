import { decideChampion } from "#forecast/blend/decide-champion.ts";
import { createForecastScores } from "#forecast/blend/score-forecasts.ts";
import type { Calendar } from "#forecast/data/calendar.ts";
import type { RateModel } from "#forecast/simple/rate-model.ts";
import { createSimpleModels } from "#forecast/simple/simple-models.ts";
import { minuteMs } from "#platform/time.ts";
import { dayOfComparisons, ForecastMisses } from "../fleet-plan/forecast-misses.ts";
import { seasonalFloorQps } from "../fleet-plan/seasonal-floor.ts";

/** Horizon of the fleet's forecasts. */
export const horizonMinutes = 15;
const maxHistoryMinutes = 14 * 1440;
/** Forecasters that are quick enough for every minute of a month; the network and the daily smoothing are not. */
const quickModels = ["last-value", "moving-average-5", "moving-average", "seasonal-naive", "ridge+"];

/** Forecast of the coming minutes as it would have been at the start of a minute. Minutes must be asked for in order, none twice. */
export interface ForecastReplay {
  /** Expected rates of the coming minutes. */
  readonly expectedQps: readonly number[];
  /** Rates that each of the coming minutes will exceed with probability 1 - quantile; those further ahead as the first that a start can serve. */
  readonly highQps: readonly number[];
  /** Usual rates of that hour, minute by minute; 0 where they are unknown. */
  readonly usualQps: readonly number[];
}

/** Lead at which a unit that is ordered now can serve, at best. */
const reactLead = 1;

/** Replays forecasting over a record: every forecast is made from the minutes before it alone, by the forecasters of agents and controller. */
export function createForecastReplay(rates: readonly number[], startMs: number, calendar: Calendar, quantile: number) {
  const models: RateModel[] = createSimpleModels().filter(({ name }) => quickModels.includes(name));
  const scores = createForecastScores(minuteMs);
  const misses = new ForecastMisses(quantile, { cautiousFor: dayOfComparisons });
  const totals = [0];
  const qps: number[] = [];
  let incumbent: string | null = null;

  return (minute: number): ForecastReplay => {
    if (minute === 0) return { expectedQps: [], highQps: [], usualQps: [] };
    const newest = rates[minute - 1] as number;
    misses.learn(minute - 1, newest);
    totals.push((totals.at(-1) as number) + newest);
    qps.push(newest);
    // Not every minute: moving two weeks of rates takes longer than forecasting from them.
    if (qps.length >= 2 * maxHistoryMinutes) qps.splice(0, qps.length - maxHistoryMinutes);
    const endMs = startMs + minute * minuteMs;
    const byModel = new Map<string, number[]>();
    for (const model of models) {
      const forecast = model.forecast({ qps, stepMs: minuteMs, endMs, calendar }, horizonMinutes);
      if (forecast !== null) byModel.set(model.name, forecast);
    }
    scores.settle(endMs, (stepStartMs) => rates[Math.round((stepStartMs - startMs) / minuteMs)]);
    const situation = { scores: scores.scores(), available: [...byModel.keys()], incumbent, starter: "moving-average" };
    const decision = decideChampion(situation);
    incumbent = decision.kind === "start" ? null : decision.model;
    scores.add({ endMs, lastValueQps: qps.at(-1) ?? 0, byModel });
    const expectedQps = byModel.get(decision.model) ?? [];
    misses.note(minute, expectedQps);
    const highQps = misses.highQps(expectedQps, reactLead);
    const usualQps = expectedQps.map((_, lead) => seasonalFloorQps(totals, minute + lead) ?? 0);
    return { expectedQps, highQps, usualQps };
  };
}
