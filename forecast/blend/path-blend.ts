import { createDiscountedCosts } from "#forecast/quantiles/discounted-costs.ts";
import { createMedianFactor } from "#forecast/quantiles/median-factor.ts";
import { createRecentRatios } from "#forecast/quantiles/recent-ratios.ts";
import type { RateAt } from "#forecast/simple/rate-model.ts";
import type { ModelScore } from "./decide-champion.ts";
import { without } from "./score-forecasts.ts";

export interface BlendedPath {
  /** Shares of the models in the average, the largest first. */
  readonly shares: ReadonlyMap<string, number>;
  /** Median of each step. */
  readonly qps: readonly number[];
  /** Quantiles 0.9 and 0.95 of each step. */
  readonly qps90: readonly number[];
  readonly qps95: readonly number[];
}

const pathQuantiles = [0.9, 0.95];
const assumedPathFactors = [1.4, 1.6];
/** Weight before anything is known: on all but the sparsest traffic ridge+ errs least of all models. */
const priorOf = (name: string) => (name === "ridge+" ? 2 : 1);

/** A path that was made, with the models' paths that it was averaged from. */
interface MadePath {
  readonly endMs: number;
  /** Mean of the models' paths; null while the starter served alone. */
  readonly mean: readonly number[] | null;
  /** Path that was served; null when no model had a forecast. */
  readonly qps: readonly number[] | null;
  readonly byModel: ReadonlyMap<string, readonly number[]>;
}

/** Averages the models' paths, each weighted by the absolute errors of its past ones. */
export class PathBlend {
  readonly #stepMs: number;
  readonly #steps: number;
  readonly #costs = createDiscountedCosts(priorOf);
  readonly #median = createMedianFactor();
  /** Ratios of actual rates to forecasts, by step. */
  readonly #ratios: readonly ReturnType<typeof createRecentRatios>[];
  #made: MadePath[] = [];

  constructor(stepMs: number, steps: number) {
    this.#stepMs = stepMs;
    this.#steps = steps;
    this.#ratios = Array.from({ length: steps }, () => createRecentRatios(pathQuantiles, assumedPathFactors));
  }

  /** Learns from all paths whose last step has ended. */
  settle(endMs: number, rateAt: RateAt): void {
    const due = (made: MadePath) => made.endMs + this.#steps * this.#stepMs <= endMs;
    for (const made of this.#made) if (due(made)) this.#settleOne(made, rateAt);
    this.#made = this.#made.filter((made) => !due(made)).slice(-2 * this.#steps);
  }

  #settleOne({ endMs, mean, qps, byModel }: MadePath, rateAt: RateAt): void {
    const losses = new Map<string, number>();
    const actual = Array.from({ length: this.#steps }, (_, step) => rateAt(endMs + step * this.#stepMs) ?? null);
    if (mean !== null) this.#median.observe(mean, actual);
    for (const [step, ratios] of this.#ratios.entries()) {
      const rate = actual[step];
      if (rate === null || rate === undefined) continue;
      if (qps !== null) ratios.observe(endMs, qps[step] as number, rate);
      for (const [name, path] of byModel) {
        losses.set(name, (losses.get(name) ?? 0) + Math.abs((path[step] as number) - rate));
      }
    }
    this.#costs.observe(endMs, losses);
  }

  /**
   * Averages the paths of the available models.
   * @param byModel paths of all models; their errors are learnt whether available or not.
   * @param starter serves alone while no model's errors are known, and until `started`.
   * @param started false: too little is known for an average.
   * @returns null when no model has a path, or before `started`.
   */
  forecast(
    endMs: number,
    byModel: ReadonlyMap<string, readonly number[]>,
    available: readonly string[],
    starter: string,
    started: boolean,
  ): BlendedPath | null {
    const shares =
      (started ? this.#costs.shares(available) : null) ?? new Map(byModel.has(starter) ? [[starter, 1]] : []);
    const mean = shares.size === 0 ? null : this.#average(byModel, shares);
    // The starter's path alone says nothing of the mean of all.
    const factor = started ? this.#median.factor() : 1;
    const qps = mean?.map((rate) => rate * factor) ?? null;
    if (!this.#made.some((made) => made.endMs === endMs)) {
      this.#made.push({ endMs, mean: started ? mean : null, qps, byModel });
    }
    if (qps === null || !started) return null;
    const bounds = qps.map((rate, step) =>
      (this.#ratios[step]?.factors(endMs) ?? []).map((ratio) => rate * Math.max(1, ratio)),
    );
    return {
      shares,
      qps,
      qps90: bounds.map(([bound]) => bound as number),
      qps95: bounds.map(([, bound]) => bound as number),
    };
  }

  #average(byModel: ReadonlyMap<string, readonly number[]>, shares: ReadonlyMap<string, number>): number[] {
    return Array.from({ length: this.#steps }, (_, step) => {
      let sum = 0;
      for (const [name, share] of shares) sum += share * (byModel.get(name)?.[step] as number);
      return sum;
    });
  }

  /** Takes over the models' errors of an earlier run. */
  restore(earlier: readonly ModelScore[]): void {
    for (const { name, forecasts, absoluteError, lastValueError } of earlier) {
      this.#costs.restore([{ name, loss: absoluteError, yardstickLoss: lastValueError }], forecasts);
    }
  }

  /** Forgets a model's errors and pending paths: another model bears its name from now on. */
  forget(name: string): void {
    this.#costs.forget(name);
    this.#made = this.#made.map((made) => ({ ...made, byModel: without(made.byModel, name) }));
  }
}
