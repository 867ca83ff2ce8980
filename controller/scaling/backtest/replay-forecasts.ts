import type { Calendar } from "#agent/forecast/calendar.ts";
import { decideChampion } from "#agent/forecast/decide-champion.ts";
import type { RateModel } from "#agent/forecast/rate-model.ts";
import { createForecastScores } from "#agent/forecast/score-forecasts.ts";
import { createSimpleModels } from "#agent/forecast/simple-models.ts";

export const minuteMs = 60_000;
/** As far as the fleet's forecasts reach. */
export const horizonMinutes = 15;
const longestHistoryMinutes = 14 * 1440;
/** The forecasters that are quick enough for every minute of a month; the network and the daily smoothing are not among them. */
const quickModels = ["last-value", "moving-average-5", "moving-average", "seasonal-naive", "ridge+"];

/** How far off forecasts were is remembered for two days and looked at every half hour, at these leads. */
const rememberedMinutes = 2880;
const relearnMinutes = 30;
const leads = [0, 1, 3, 6, 10, 14];
/** Before so many comparisons a forecast is taken to be this much too low. */
const fewestRatios = 120;
const cautiousFactor = 1.5;
/** What was exceeded by more than this was a break in the traffic, against which no head-room helps: not learnt from. */
const mostRatio = 3;
/** Rates below this share of the mean are noise: ratios are damped by it. */
const dampingShare = 0.05;

/** What would have been known of the coming minutes at the start of each minute. Minutes must be asked for in order, none twice. */
export interface ForecastReplay {
  /** The expected rates of the coming minutes. */
  readonly expectedQps: readonly number[];
  /** Rates that the coming minutes will exceed with probability 1 - quantile, each for itself. */
  readonly highQps: readonly number[];
}

/** Replays forecasting over a record: every forecast is made from the minutes before it alone, by the forecasters of agents and controller. */
export function createForecastReplay(rates: readonly number[], startMs: number, calendar: Calendar, quantile: number) {
  const models: RateModel[] = createSimpleModels().filter(({ name }) => quickModels.includes(name));
  const scores = createForecastScores(minuteMs);
  const made: (readonly number[])[] = [];
  const ratios = leads.map(() => [] as number[]);
  let factors = leads.map(() => cautiousFactor);
  let sum = 0;
  let incumbent: string | null = null;

  const learn = (minute: number) => {
    const actual = rates[minute - 1] as number;
    sum += actual;
    const damping = (dampingShare * sum) / minute;
    for (const [place, lead] of leads.entries()) {
      const forecast = made[minute - 1 - lead]?.[lead];
      if (forecast === undefined || damping === 0) continue;
      const list = ratios[place] as number[];
      const ratio = (actual + damping) / (forecast + damping);
      if (ratio <= mostRatio) list.push(ratio);
      if (list.length > rememberedMinutes) list.shift();
    }
    if (minute % relearnMinutes !== 0) return;
    factors = ratios.map((list) => {
      if (list.length < fewestRatios) return cautiousFactor;
      const sorted = Float64Array.from(list).sort();
      return Math.max(1, sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length + 1) * quantile) - 1)] as number);
    });
  };
  const factorAt = (lead: number) => {
    const upper = leads.findIndex((each) => each >= lead);
    if (leads[upper] === lead) return factors[upper] as number;
    const [from, to] = [leads[upper - 1] as number, leads[upper] as number];
    const share = (lead - from) / (to - from);
    return (factors[upper - 1] as number) * (1 - share) + (factors[upper] as number) * share;
  };

  return (minute: number): ForecastReplay => {
    if (minute === 0) {
      made.push([]);
      return { expectedQps: [], highQps: [] };
    }
    learn(minute);
    const qps = rates.slice(Math.max(0, minute - longestHistoryMinutes), minute);
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
    made.push(expectedQps);
    const damping = (dampingShare * sum) / minute;
    const highQps = expectedQps.map((rate, lead) => (rate + damping) * factorAt(lead) - damping);
    return { expectedQps, highQps };
  };
}
