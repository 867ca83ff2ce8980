import { describeShares } from "#forecast/quantiles/decide-shares.ts";
import { createDiscountedCosts } from "#forecast/quantiles/discounted-costs.ts";
import { createMedianFactor } from "#forecast/quantiles/median-factor.ts";
import { createNetworkHead } from "#forecast/quantiles/network-head.ts";
import { createPeakBlend } from "#forecast/quantiles/peak-blend.ts";
import type { PeakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import { createQuantileRegression } from "#forecast/quantiles/quantile-regression.ts";
import { createRecentRatios } from "#forecast/quantiles/recent-ratios.ts";
import type { RateHistory } from "#forecast/simple/rate-model.ts";
import { createPeakRidge, recentPeak } from "#forecast/simple/recent-peak-models.ts";
import { createSimpleModels } from "#forecast/simple/simple-models.ts";
import { type ChampionDecision, decideChampion, minForecasts } from "./decide-champion.ts";
import { createForecastScores } from "./score-forecasts.ts";
import type { ScoreStore } from "./score-store.ts";

export interface BlendOptions {
  readonly stepMs: number;
  /** Steps in each forecast. */
  readonly steps: number;
  /** Who serves until enough is known. */
  readonly starter: string;
  /** Keeps the scores from one run to the next; without it they end with this one. */
  readonly store?: ScoreStore | null;
}

export interface BlendedForecast {
  /** The model that has nine tenths of the say, or "blend". */
  readonly model: string;
  readonly reason: string;
  /** Which models the path is averaged from, the largest share first. */
  readonly shares: Readonly<Record<string, number>>;
  /** The median of each coming step, requests a second. */
  readonly qps: readonly number[];
  /** What each step exceeds once in ten and once in twenty times. */
  readonly qps90: readonly number[];
  readonly qps95: readonly number[];
  /** Of the highest of the coming steps. */
  readonly peak: PeakQuantiles;
}

export interface BlendStep {
  /** null while too little is known: then the caller's own rule holds. */
  readonly blended: BlendedForecast | null;
  /** Every model's own forecast, for whoever compares them. */
  readonly byModel: ReadonlyMap<string, readonly number[]>;
  /** Quantiles of the highest coming step, known from the first forecast on. */
  readonly peak: PeakQuantiles;
  /** The network's own quantiles of that step; null until its head has learnt. */
  readonly networkPeak: PeakQuantiles | null;
}

export interface TrafficBlend {
  /**
   * What is to be done before `forecast`, in slices of a few milliseconds: between two of them others may have their turn.
   * @param history gaps filled.
   */
  learn(history: RateHistory): Generator<void, void, void>;
  /**
   * Scores what was foretold earlier, lets every model forecast, and averages them.
   * @param rateAt the rate in the step that starts at a time; null or undefined where nobody counted.
   * @param network the network's forecast; null when it has none.
   */
  forecast(
    history: RateHistory,
    rateAt: (stepStartMs: number) => number | null | undefined,
    network: readonly number[] | null,
  ): BlendStep;
  /** Another network forecasts from now on: what the one before was worth says nothing of it, so it has to earn its share anew. */
  replaceNetwork(): void;
}

const dayMs = 86_400_000;
/** Scores change little in this time; a flash disk is spared. */
const savingMs = 300_000;
const pathQuantiles = [0.9, 0.95];
const assumedPathFactors = [1.4, 1.6];
const networkName = "lstm";
const headName = "lstm quantiles";
/** With so much of the say a model's name stands for the blend. */
const nearlyAlone = 0.9;

/** A path that was averaged, with those that it was averaged from. */
interface MadePath {
  readonly endMs: number;
  /** The mean of several, null where one served alone; and what was made of it, null where nobody could say anything. */
  readonly mean: readonly number[] | null;
  readonly qps: readonly number[] | null;
  readonly byModel: ReadonlyMap<string, readonly number[]>;
}

/** On all but the barest traffic ridge+ errs least on its own; see the priors of the peak. */
const pathPriorOf = (name: string) => (name === "ridge+" ? 2 : 1);

/** Peak forecasters of their own: what the newest hour says, learnt from long and from short memory, and all that is known of the time. */
const createRegressions = () => [
  createQuantileRegression({ name: "quantiles", inputs: "all", memoryMs: 14 * dayMs }),
  createQuantileRegression({ name: "hour quantiles", inputs: "core", memoryMs: 14 * dayMs }),
  createQuantileRegression({ name: "new quantiles", inputs: "core", memoryMs: 3 * dayMs }),
];

/**
 * Forecasts one stream of requests by averaging forecasters, each weighed by how its past forecasts, made before what they foretold,
 * turned out: the path by absolute error, the highest step's quantiles by pinball loss.
 */
export function createTrafficBlend({ stepMs, steps, starter, store = null }: BlendOptions): TrafficBlend {
  const models = createSimpleModels();
  const peakModels = [recentPeak, createPeakRidge()];
  const regressions = createRegressions();
  const scores = createForecastScores(stepMs, dayMs);
  let head = createNetworkHead();
  const peaks = createPeakBlend(steps * stepMs);
  const pathRatios = Array.from({ length: steps }, () => createRecentRatios(pathQuantiles, assumedPathFactors));
  const pathCosts = createDiscountedCosts(pathPriorOf);
  const median = createMedianFactor();
  let made: MadePath[] = [];
  let restored = store === null;
  let savedMs = Number.NEGATIVE_INFINITY;
  let champion: ChampionDecision | null = null;

  const average = (byModel: ReadonlyMap<string, readonly number[]>, shares: ReadonlyMap<string, number>) =>
    Array.from({ length: steps }, (_, step) => {
      let sum = 0;
      for (const [name, share] of shares) sum += share * (byModel.get(name)?.[step] as number);
      return sum;
    });

  const keepScores = (endMs: number) => {
    if (store === null || Math.abs(endMs - savedMs) < savingMs) return;
    savedMs = endMs;
    store.save(scores.scores(), endMs);
  };

  const settle = (endMs: number, rateAt: (stepStartMs: number) => number | null | undefined) => {
    scores.settle(endMs, rateAt);
    const peakFrom = (fromMs: number): number | null => {
      let highest = 0;
      for (let step = 0; step < steps; step += 1) {
        const rate = rateAt(fromMs + step * stepMs);
        if (rate === null || rate === undefined) return null;
        highest = Math.max(highest, rate);
      }
      return highest;
    };
    peaks.settle(endMs, (fromMs) => {
      const peak = peakFrom(fromMs);
      if (peak !== null) head.observe(fromMs, peak);
      return peak;
    });
    const due = (fromMs: number) => fromMs + steps * stepMs <= endMs;
    for (const { endMs: fromMs, mean, qps, byModel } of made.filter((one) => due(one.endMs))) {
      const losses = new Map<string, number>();
      const came = Array.from({ length: steps }, (_, step) => rateAt(fromMs + step * stepMs) ?? null);
      if (mean !== null) median.observe(mean, came);
      for (const [step, ratios] of pathRatios.entries()) {
        const rate = came[step];
        if (rate === null || rate === undefined) continue;
        if (qps !== null) ratios.observe(fromMs, qps[step] as number, rate);
        for (const [name, path] of byModel) {
          losses.set(name, (losses.get(name) ?? 0) + Math.abs((path[step] as number) - rate));
        }
      }
      pathCosts.observe(fromMs, losses);
    }
    made = made.filter((one) => !due(one.endMs)).slice(-2 * steps);
  };

  return {
    *learn(history) {
      for (const model of [...models, ...peakModels]) if (model.learn !== undefined) yield* model.learn(history, steps);
      for (const regression of regressions) yield* regression.learn(history, steps);
      yield* head.learn();
    },
    forecast(history, rateAt, network) {
      const { endMs, qps } = history;
      if (!restored && store !== null) {
        restored = true;
        const earlier = store.load(endMs);
        scores.restore(earlier);
        for (const { name, forecasts, absoluteError, lastValueError } of earlier) {
          pathCosts.restore([{ name, loss: absoluteError, yardstickLoss: lastValueError }], forecasts);
        }
      }
      settle(endMs, rateAt);
      keepScores(endMs);
      const byModel = new Map<string, readonly number[]>();
      for (const model of models) {
        const forecast = model.forecast(history, steps);
        if (forecast?.every(Number.isFinite)) byModel.set(model.name, forecast);
      }
      if (network !== null) byModel.set(networkName, network);
      const ownPaths = new Map(byModel);
      scores.add({ endMs, lastValueQps: qps.at(-1) ?? 0, byModel: ownPaths });

      const points = new Map([...byModel].map(([name, path]) => [name, Math.max(...path)]));
      for (const model of peakModels) {
        const forecast = model.forecast(history, steps);
        if (forecast === null) continue;
        byModel.set(model.name, forecast);
        points.set(model.name, forecast[0] as number);
      }
      const quantiles = new Map<string, PeakQuantiles>();
      for (const regression of regressions) {
        const forecast = regression.forecast(history, steps);
        if (forecast !== null) quantiles.set(regression.name, forecast);
      }
      const networkPeak = network === null ? null : head.forecast(history, network);
      if (networkPeak !== null) quantiles.set(headName, networkPeak);
      const peak = peaks.forecast(endMs, points, quantiles).quantiles;

      const known = scores.scores();
      // A network that came into service later is judged before it has a say: the others know the traffic.
      const isKnown = (name: string) => known.some((score) => score.name === name && score.forecasts >= minForecasts);
      const isNewcomer = !isKnown(networkName) && models.some(({ name }) => isKnown(name));
      const available = [...byModel.keys()].filter((name) => !(isNewcomer && name === networkName));
      const incumbent = champion === null || champion.kind === "start" ? null : champion.model;
      champion = decideChampion({ scores: known, available, incumbent, starter });
      const started = champion.kind !== "start";
      const shares =
        (started ? pathCosts.shares(available) : null) ?? new Map(byModel.has(starter) ? [[starter, 1]] : []);
      const [first] = shares;
      const mean = first === undefined ? null : average(byModel, shares);
      // What the starter said alone tells nothing of the mean of all.
      const factor = started ? median.factor() : 1;
      const path = mean?.map((rate) => rate * factor) ?? null;
      if (!made.some((one) => one.endMs === endMs)) {
        made.push({ endMs, mean: started ? mean : null, qps: path, byModel: ownPaths });
      }
      if (first === undefined || path === null || !started) return { blended: null, byModel, peak, networkPeak };
      const bounds = path.map((rate, step) =>
        (pathRatios[step]?.factors(endMs) ?? []).map((factor) => rate * Math.max(1, factor)),
      );
      const alone = first[1] >= nearlyAlone;
      const blended: BlendedForecast = {
        model: alone ? first[0] : "blend",
        reason: alone ? champion.reason : `${describeShares(shares)}; ${champion.reason}`,
        shares: Object.fromEntries(shares),
        qps: path,
        qps90: bounds.map(([bound]) => bound as number),
        qps95: bounds.map(([, bound]) => bound as number),
        peak,
      };
      return { blended, byModel, peak, networkPeak };
    },
    replaceNetwork() {
      scores.forget(networkName);
      pathCosts.forget(networkName);
      made = made.map((one) => ({
        ...one,
        byModel: new Map([...one.byModel].filter(([name]) => name !== networkName)),
      }));
      head = createNetworkHead();
      peaks.forget([networkName, headName]);
      savedMs = Number.NEGATIVE_INFINITY;
    },
  };
}
