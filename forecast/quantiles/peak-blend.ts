import { createDiscountedCosts } from "./discounted-costs.ts";
import { inOrder, type PeakQuantiles, peakLoss, peakQuantiles } from "./peak-quantiles.ts";
import { createRecentRatios, type RecentRatios } from "./recent-ratios.ts";

export interface BlendedPeak {
  readonly quantiles: PeakQuantiles;
  readonly shares: ReadonlyMap<string, number>;
}

const assumedFactors = [1.1, 1.4, 1.6];
/**
 * Weights before anything is known. Quantile forecasts are worth more than the ratios of a point forecast; with equal weights a short record
 * relies on whatever was lucky in a quiet night. 4, 8 and 16 do equally well.
 */
const priors: Readonly<Record<string, number>> = {
  quantiles: 8,
  trees: 8,
  "hour quantiles": 4,
  "new quantiles": 4,
  "lstm quantiles": 4,
  "ridge+": 4,
};
const priorOf = (name: string) => priors[name] ?? 1;
/** Forecasts whose time never comes (a clock set back) are dropped. */
const maxPending = 64;
/**
 * Step by which a bound moves, in units of the distance from median to 0.95 quantile: up by its quantile times this when exceeded, down by
 * the rest when it held. Adaptive conformal inference (Gibbs and Candès 2021): in the long run the bound is exceeded as often as it should
 * be, whatever the traffic does.
 */
const adaptation = 0.01;

interface Pending {
  readonly endMs: number;
  readonly points: ReadonlyMap<string, number>;
  readonly candidates: ReadonlyMap<string, PeakQuantiles>;
  /** Forecasters judged by this forecast: those whose quantiles came from their own past errors. */
  readonly judged: readonly string[];
  readonly blended: PeakQuantiles;
}

/** Shares before anything is known. */
function sharesByPrior(names: readonly string[]): ReadonlyMap<string, number> {
  const total = names.reduce((sum, name) => sum + priorOf(name), 0);
  return new Map(names.map((name) => [name, priorOf(name) / total]));
}

/** Averages forecasts of the highest coming rate, each weighted by the pinball loss of its past ones. */
export class PeakBlend {
  readonly #horizonMs: number;
  readonly #ratios = new Map<string, RecentRatios>();
  readonly #costs = createDiscountedCosts(priorOf);
  /** Shift of each quantile, learnt from how often it was exceeded. */
  readonly #shifts = peakQuantiles.map(() => 0);
  #pending: Pending[] = [];

  /** @param horizonMs length of the time that each forecast is for. */
  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs;
  }

  /**
   * Returns the quantiles of the highest rate to come.
   * @param endMs start of the time that is forecast.
   * @param points forecasts of that rate by name, without an estimate of their error.
   * @param quantiles forecasts of its quantiles by name.
   */
  forecast(
    endMs: number,
    points: ReadonlyMap<string, number>,
    quantiles: ReadonlyMap<string, PeakQuantiles>,
  ): BlendedPeak {
    const candidates = new Map(quantiles);
    const judged = [...quantiles.keys()];
    for (const [name, point] of points) {
      const ratios = this.#ratiosOf(name);
      if (ratios.ready()) judged.push(name);
      candidates.set(name, inOrder(ratios.factors(endMs).map((factor) => factor * point)));
    }
    const names = [...candidates.keys()];
    const shares = this.#costs.shares(names) ?? sharesByPrior(names);
    const mean = [0, 0, 0];
    for (const [name, share] of shares) {
      for (const [which, value] of (candidates.get(name) as PeakQuantiles).entries()) {
        mean[which] = (mean[which] as number) + share * value;
      }
    }
    const spread = (mean[2] as number) - (mean[0] as number);
    const blended = inOrder(mean.map((value, which) => value + (this.#shifts[which] as number) * spread));
    if (!this.#pending.some((made) => made.endMs === endMs)) {
      this.#pending.push({ endMs, points, candidates, judged, blended });
      if (this.#pending.length > maxPending) this.#pending.shift();
    }
    return { quantiles: blended, shares };
  }

  /**
   * Learns from all forecasts whose time is over.
   * @param peakFrom the highest rate in the time that begins at `endMs`; null where not all of it was counted.
   */
  settle(nowMs: number, peakFrom: (endMs: number) => number | null): void {
    const due = (made: Pending) => made.endMs + this.#horizonMs <= nowMs;
    for (const made of this.#pending) {
      if (!due(made)) continue;
      const actual = peakFrom(made.endMs);
      if (actual !== null) this.#settleOne(made, actual);
    }
    this.#pending = this.#pending.filter((made) => !due(made));
  }

  #settleOne({ endMs, points, candidates, judged, blended }: Pending, actual: number): void {
    for (const [name, point] of points) this.#ratiosOf(name).observe(endMs, point, actual);
    if (judged.length === 0) return;
    const lossOf = (name: string) => peakLoss(actual, candidates.get(name) as PeakQuantiles);
    this.#costs.observe(endMs, new Map(judged.map((name) => [name, lossOf(name)])));
    for (const [which, quantile] of peakQuantiles.entries()) {
      const exceeded = actual > (blended[which] as number) ? 1 : 0;
      this.#shifts[which] = (this.#shifts[which] as number) + adaptation * (exceeded - (1 - quantile));
    }
  }

  /** Forgets the past of these forecasters: others bear their names from now on. */
  forget(names: readonly string[]): void {
    const stays = (name: string) => !names.includes(name);
    for (const name of names) {
      this.#ratios.delete(name);
      this.#costs.forget(name);
    }
    this.#pending = this.#pending.map((made) => ({
      ...made,
      points: new Map([...made.points].filter(([name]) => stays(name))),
      judged: made.judged.filter(stays),
    }));
  }

  #ratiosOf(name: string): RecentRatios {
    let found = this.#ratios.get(name);
    if (found === undefined) {
      found = createRecentRatios(peakQuantiles, assumedFactors);
      this.#ratios.set(name, found);
    }
    return found;
  }
}
