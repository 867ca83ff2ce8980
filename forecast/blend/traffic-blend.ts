import { type ComingEvent, liftPath, liftPeak, RecurringEvents } from "#forecast/events/recurring-events.ts";
import { createNetworkHead } from "#forecast/quantiles/network-head.ts";
import { PeakBlend } from "#forecast/quantiles/peak-blend.ts";
import type { PeakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import { createQuantileRegression } from "#forecast/quantiles/quantile-regression.ts";
import type { RateAt, RateHistory } from "#forecast/simple/rate-model.ts";
import { createPeakRidge, recentPeak } from "#forecast/simple/recent-peak-models.ts";
import { createSimpleModels } from "#forecast/simple/simple-models.ts";
import type { KeptTrees } from "#forecast/trees/kept-trees.ts";
import { createPeakTrees } from "#forecast/trees/peak-trees.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { type ChampionDecision, decideChampion, type ModelScore, minForecasts } from "./decide-champion.ts";
import { explainChampion, sharesToText } from "./explain-champion.ts";
import { ModelRests } from "./model-rests.ts";
import { PathBlend } from "./path-blend.ts";
import { createForecastScores } from "./score-forecasts.ts";
import type { ScoreStore } from "./score-store.ts";

export interface BlendOptions {
  readonly stepMs: number;
  /** Steps in each forecast. */
  readonly steps: number;
  /** Model that serves until enough is known. */
  readonly starter: string;
  /** Keeps the scores from one run to the next; null: they end with this one. */
  readonly store?: ScoreStore | null;
  /** Keeps the trees from one run to the next; null: each run fits its own. */
  readonly trees?: KeptTrees | null;
  /** false: every model forecasts at all times, so that they can be compared. Default: those without a share rest. */
  readonly rests?: boolean;
}

export interface BlendedForecast {
  /** Model with at least nine tenths of the shares, or "blend". */
  readonly model: string;
  readonly reason: string;
  /** Shares of the models that the path is averaged from, the largest first. */
  readonly shares: Readonly<Record<string, number>>;
  /** Median of each coming step. */
  readonly qps: readonly number[];
  /** Rates that each step exceeds with probability 0.1 and 0.05. */
  readonly qps90: readonly number[];
  readonly qps95: readonly number[];
}

export interface BlendStep {
  /** null while too little is known: then the caller's own forecast serves. */
  readonly blended: BlendedForecast | null;
  /** Each model's own forecast, for comparisons. */
  readonly byModel: ReadonlyMap<string, readonly number[]>;
  /** Quantiles of the highest coming step, known from the first forecast on. */
  readonly peak: PeakQuantiles;
  /** The network's own quantiles of that step; null until its head has learnt. */
  readonly networkPeak: PeakQuantiles | null;
}

/** Scores change little in this time; saving more often would wear out flash memory. */
const savingMs = 5 * minuteMs;
const networkName = "lstm";
const headName = "lstm quantiles";
/** Share from which on a model's name stands for the blend. */
const nearlyAlone = 0.9;

/** Peak forecasters of their own: from the newest hour with long and with short memory, and from all statistics with the calendar. */
const createRegressions = (trees: KeptTrees | null) => [
  createQuantileRegression({ name: "quantiles", inputs: "all", memoryMs: 14 * dayMs }),
  createQuantileRegression({ name: "hour quantiles", inputs: "core", memoryMs: 14 * dayMs }),
  createQuantileRegression({ name: "new quantiles", inputs: "core", memoryMs: 3 * dayMs }),
  createPeakTrees("trees", trees),
];

/**
 * Forecasts one stream of requests by averaging forecasters, each weighted by the errors of its past forecasts: the path by absolute error,
 * the quantiles of the highest step by pinball loss.
 */
export class TrafficBlend {
  readonly #steps: number;
  readonly #stepMs: number;
  readonly #starter: string;
  readonly #store: ScoreStore | null;
  readonly #models = createSimpleModels();
  readonly #peakModels = [recentPeak, createPeakRidge()];
  readonly #regressions: ReturnType<typeof createRegressions>;
  readonly #events = new RecurringEvents();
  readonly #rests: ModelRests | null;
  readonly #scores: ReturnType<typeof createForecastScores>;
  readonly #paths: PathBlend;
  readonly #peaks: PeakBlend;
  #head = createNetworkHead();
  #restored: boolean;
  #savedMs = Number.NEGATIVE_INFINITY;
  #champion: ChampionDecision | null = null;

  constructor({ stepMs, steps, starter, store = null, trees = null, rests = true }: BlendOptions) {
    this.#steps = steps;
    this.#stepMs = stepMs;
    this.#starter = starter;
    this.#store = store;
    this.#rests = rests ? new ModelRests() : null;
    this.#regressions = createRegressions(trees);
    this.#restored = store === null;
    this.#scores = createForecastScores(stepMs, dayMs);
    this.#paths = new PathBlend(stepMs, steps);
    this.#peaks = new PeakBlend(steps * stepMs);
  }

  /**
   * Refits what is due before `forecast`, in slices of a few milliseconds between which the caller may yield.
   * @param history gaps filled.
   */
  *learn(recorded: RateHistory): Generator<void, void, void> {
    yield* this.#events.learn(recorded);
    const history = this.#events.without(recorded);
    for (const model of this.#working([...this.#models, ...this.#peakModels], history.endMs)) {
      if (model.learn !== undefined) yield* model.learn(history, this.#steps);
    }
    for (const regression of this.#working(this.#regressions, history.endMs)) {
      yield* regression.learn(history, this.#steps);
    }
    yield* this.#head.learn();
  }

  /**
   * Scores earlier forecasts, asks every model for a new one, and averages them. Models forecast, and are scored by, the traffic without the
   * recurring events, which are then added.
   * @param network the network's forecast; null when it has none.
   */
  forecast(recorded: RateHistory, rateAt: RateAt, network: readonly number[] | null): BlendStep {
    const { endMs } = recorded;
    const history = this.#events.without(recorded);
    this.#restoreScores(endMs);
    this.#settle(endMs, history === recorded ? rateAt : rateWithout(history, rateAt));
    this.#saveScores(endMs);
    const paths = this.#forecastPaths(history, network);
    this.#scores.add({ endMs, lastValueQps: history.qps.at(-1) ?? 0, byModel: paths });
    const step = { ...this.#forecastPeaks(history, paths, network), blended: this.#blend(endMs, paths) };
    const coming = this.#events.coming(recorded, this.#steps);
    return coming.length === 0 ? step : addEvents(step, coming, this.#stepMs);
  }

  /** Makes another network, which forecasts from now on, earn its share anew: its predecessor's errors say nothing of it. */
  replaceNetwork(): void {
    this.#scores.forget(networkName);
    this.#paths.forget(networkName);
    this.#head = createNetworkHead();
    this.#peaks.forget([networkName, headName]);
    this.#savedMs = Number.NEGATIVE_INFINITY;
  }

  #working<Model extends { readonly name: string }>(models: readonly Model[], nowMs: number): readonly Model[] {
    return this.#rests?.working(models, nowMs) ?? models;
  }

  #restoreScores(nowMs: number): void {
    if (this.#restored || this.#store === null) return;
    this.#restored = true;
    const earlier = this.#store.load(nowMs);
    this.#scores.restore(earlier);
    this.#paths.restore(earlier);
  }

  #saveScores(nowMs: number): void {
    if (this.#store === null || Math.abs(nowMs - this.#savedMs) < savingMs) return;
    this.#savedMs = nowMs;
    this.#store.save(this.#scores.scores(), nowMs);
  }

  #settle(endMs: number, rateAt: RateAt): void {
    this.#scores.settle(endMs, rateAt);
    this.#peaks.settle(endMs, (fromMs) => {
      const peak = this.#peakFrom(fromMs, rateAt);
      if (peak !== null) this.#head.observe(fromMs, peak);
      return peak;
    });
    this.#paths.settle(endMs, rateAt);
  }

  /** Highest actual rate in the steps from a time on; null where one was not counted. */
  #peakFrom(fromMs: number, rateAt: RateAt): number | null {
    let highest = 0;
    for (let step = 0; step < this.#steps; step += 1) {
      const rate = rateAt(fromMs + step * this.#stepMs);
      if (rate === null || rate === undefined) return null;
      highest = Math.max(highest, rate);
    }
    return highest;
  }

  #forecastPaths(history: RateHistory, network: readonly number[] | null): ReadonlyMap<string, readonly number[]> {
    const paths = new Map<string, readonly number[]>();
    for (const model of this.#working(this.#models, history.endMs)) {
      const forecast = model.forecast(history, this.#steps);
      if (forecast?.every(Number.isFinite)) paths.set(model.name, forecast);
    }
    if (network !== null) paths.set(networkName, network);
    return paths;
  }

  #forecastPeaks(
    history: RateHistory,
    paths: ReadonlyMap<string, readonly number[]>,
    network: readonly number[] | null,
  ): Omit<BlendStep, "blended"> {
    const byModel = new Map(paths);
    const points = new Map([...paths].map(([name, path]) => [name, Math.max(...path)]));
    for (const model of this.#working(this.#peakModels, history.endMs)) {
      const forecast = model.forecast(history, this.#steps);
      if (forecast === null) continue;
      byModel.set(model.name, forecast);
      points.set(model.name, forecast[0] as number);
    }
    const quantiles = new Map<string, PeakQuantiles>();
    for (const regression of this.#working(this.#regressions, history.endMs)) {
      const forecast = regression.forecast(history, this.#steps);
      if (forecast !== null) quantiles.set(regression.name, forecast);
    }
    const networkPeak = network === null ? null : this.#head.forecast(history, network);
    if (networkPeak !== null) quantiles.set(headName, networkPeak);
    const { quantiles: peak, shares } = this.#peaks.forecast(history.endMs, points, quantiles);
    this.#rests?.observe([...points.keys(), ...quantiles.keys()], shares.keys(), history.endMs);
    return { byModel, peak, networkPeak };
  }

  #blend(endMs: number, paths: ReadonlyMap<string, readonly number[]>): BlendedForecast | null {
    const scores = this.#scores.scores();
    const available = this.#availableModels(paths, scores);
    const before = this.#champion;
    const incumbent = before === null || before.kind === "start" ? null : before.model;
    const champion = decideChampion({ scores, available, incumbent, starter: this.#starter });
    this.#champion = champion;
    const path = this.#paths.forecast(endMs, paths, available, this.#starter, champion.kind !== "start");
    const [first] = path?.shares ?? [];
    if (path === null || first === undefined) return null;
    const { shares, qps, qps90, qps95 } = path;
    this.#rests?.observe([], shares.keys(), endMs);
    const [model, share] = first;
    const why = explainChampion(champion);
    return {
      model: share >= nearlyAlone ? model : "blend",
      reason: share >= nearlyAlone ? why : `${sharesToText(shares)}; ${why}`,
      shares: Object.fromEntries(shares),
      qps,
      qps90,
      qps95,
    };
  }

  /** Models that may have a share: not a network that came into service later and was not judged yet, as the others know the traffic. */
  #availableModels(paths: ReadonlyMap<string, unknown>, scores: readonly ModelScore[]): string[] {
    const isKnown = (name: string) => scores.some((score) => score.name === name && score.forecasts >= minForecasts);
    const isNewcomer = !isKnown(networkName) && this.#models.some(({ name }) => isKnown(name));
    return [...paths.keys()].filter((name) => !(isNewcomer && name === networkName));
  }
}

/** Looks rates up in a history from which events were taken out. */
function rateWithout({ qps, stepMs, endMs }: RateHistory, rateAt: RateAt): RateAt {
  return (startMs) => {
    const rate = rateAt(startMs);
    return typeof rate === "number" ? (qps[qps.length - Math.round((endMs - startMs) / stepMs)] ?? rate) : rate;
  };
}

function addEvents(step: BlendStep, coming: readonly ComingEvent[], stepMs: number): BlendStep {
  const { blended, byModel, peak } = step;
  const lifted = new Map([...byModel].map(([name, path]) => [name, liftPath(path, coming, 0)]));
  const usual = blended?.qps ?? byModel.get("moving-average-5") ?? [];
  return {
    ...step,
    byModel: lifted,
    peak: liftPeak(peak, usual, coming),
    blended: blended && {
      ...blended,
      reason: `${blended.reason}; recurring rise in ${minutesUntil(coming, stepMs)} min added`,
      qps: liftPath(blended.qps, coming, 0),
      qps90: liftPath(blended.qps90, coming, 1),
      qps95: liftPath(blended.qps95, coming, 2),
    },
  };
}

const minutesUntil = (coming: readonly ComingEvent[], stepMs: number) =>
  Math.round((Math.min(...coming.map(({ step }) => step)) * stepMs) / minuteMs);
