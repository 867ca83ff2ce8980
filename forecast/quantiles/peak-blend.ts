import { createDiscountedCosts } from "./discounted-costs.ts";
import { inOrder, type PeakQuantiles, peakLoss, peakQuantiles } from "./peak-quantiles.ts";
import { createRecentRatios, type RecentRatios } from "./recent-ratios.ts";

export interface PeakBlend {
  /**
   * The quantiles of the highest rate to come.
   * @param endMs when the time that is forecast begins.
   * @param points forecasts of that rate by name, without a notion of their error.
   * @param quantiles forecasts that come with one.
   */
  forecast(
    endMs: number,
    points: ReadonlyMap<string, number>,
    quantiles: ReadonlyMap<string, PeakQuantiles>,
  ): BlendedPeak;
  /**
   * Learns from all forecasts whose time has come.
   * @param peakFrom the highest rate in the time that begins then; null where not all of it was counted.
   */
  settle(nowMs: number, peakFrom: (endMs: number) => number | null): void;
  /** Forgets what forecasts of these names were worth: others bear them from now on. */
  forget(names: readonly string[]): void;
}

export interface BlendedPeak {
  readonly quantiles: PeakQuantiles;
  readonly shares: ReadonlyMap<string, number>;
}

const assumedFactors = [1.1, 1.4, 1.6];
/**
 * Before anything is known: forecasts of quantiles, learnt from all that is known of the time, are worth more than the ratios of a point
 * forecast. With even trust a short record relies on whatever was lucky in a quiet night. 4, 8 and 16 do equally well.
 */
const priors: Readonly<Record<string, number>> = {
  quantiles: 8,
  "hour quantiles": 4,
  "new quantiles": 4,
  "lstm quantiles": 4,
  "ridge+": 4,
};
const priorOf = (name: string) => priors[name] ?? 1;
/** Forecasts whose time never comes (a clock set back) are dropped. */
const maxPending = 64;
/**
 * By how much of the distance from median to 0.95 quantile a bound moves when it was exceeded, times its quantile; it moves back by the rest
 * when it held. Adaptive conformal inference (Gibbs and Candès 2021): in the long run the bound is exceeded as often as it should be,
 * whatever the traffic does.
 */
const adaptation = 0.01;

interface Pending {
  readonly endMs: number;
  readonly points: ReadonlyMap<string, number>;
  readonly candidates: ReadonlyMap<string, PeakQuantiles>;
  /** Those whose own past errors gave their quantiles: only they are judged by them. */
  readonly judged: readonly string[];
  readonly said: PeakQuantiles;
}

/** Shares before anything is known. */
function byTrust(names: readonly string[]): ReadonlyMap<string, number> {
  const total = names.reduce((sum, name) => sum + priorOf(name), 0);
  return new Map(names.map((name) => [name, priorOf(name) / total]));
}

/** @param horizonMs how long the time is that each forecast speaks of. */
export function createPeakBlend(horizonMs: number): PeakBlend {
  const ratios = new Map<string, RecentRatios>();
  const costs = createDiscountedCosts(priorOf);
  const shifts = peakQuantiles.map(() => 0);
  let pending: Pending[] = [];

  const ratiosOf = (name: string): RecentRatios => {
    let found = ratios.get(name);
    if (found === undefined) {
      found = createRecentRatios(peakQuantiles, assumedFactors);
      ratios.set(name, found);
    }
    return found;
  };

  const settleOne = ({ endMs, points, candidates, judged, said }: Pending, actual: number) => {
    for (const [name, point] of points) ratiosOf(name).observe(endMs, point, actual);
    if (judged.length === 0) return;
    costs.observe(
      endMs,
      new Map(judged.map((name) => [name, peakLoss(actual, candidates.get(name) as PeakQuantiles)])),
    );
    for (const [which, quantile] of peakQuantiles.entries()) {
      const exceeded = actual > (said[which] as number) ? 1 : 0;
      shifts[which] = (shifts[which] as number) + adaptation * (exceeded - (1 - quantile));
    }
  };

  return {
    forecast(endMs, points, quantiles) {
      const candidates = new Map<string, PeakQuantiles>();
      const judged: string[] = [...quantiles.keys()];
      for (const [name, forecast] of quantiles) candidates.set(name, forecast);
      for (const [name, point] of points) {
        if (ratiosOf(name).ready()) judged.push(name);
        candidates.set(
          name,
          inOrder(
            ratiosOf(name)
              .factors(endMs)
              .map((factor) => factor * point),
          ),
        );
      }
      const names = [...candidates.keys()];
      const shares = costs.shares(names) ?? byTrust(names);
      const blended = [0, 0, 0];
      for (const [name, share] of shares) {
        for (const [which, value] of (candidates.get(name) as PeakQuantiles).entries()) {
          blended[which] = (blended[which] as number) + share * value;
        }
      }
      const spread = (blended[2] as number) - (blended[0] as number);
      const said = inOrder(blended.map((value, which) => value + (shifts[which] as number) * spread));
      if (!pending.some((made) => made.endMs === endMs)) {
        pending.push({ endMs, points, candidates, judged, said });
        if (pending.length > maxPending) pending.shift();
      }
      return { quantiles: said, shares };
    },
    settle(nowMs, peakFrom) {
      const due = (made: Pending) => made.endMs + horizonMs <= nowMs;
      for (const made of pending) {
        if (!due(made)) continue;
        const actual = peakFrom(made.endMs);
        if (actual !== null) settleOne(made, actual);
      }
      pending = pending.filter((made) => !due(made));
    },
    forget(names) {
      const stays = (name: string) => !names.includes(name);
      for (const name of names) {
        ratios.delete(name);
        costs.forget(name);
      }
      pending = pending.map((made) => ({
        ...made,
        points: new Map([...made.points].filter(([name]) => stays(name))),
        judged: made.judged.filter(stays),
      }));
    },
  };
}
