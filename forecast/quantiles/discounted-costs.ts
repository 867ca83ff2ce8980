import { hourMs } from "#platform/time.ts";
import { decideShares, type ForecastCost } from "./decide-shares.ts";

/** Costs of forecasters' past forecasts, newer ones weighing more. */
export interface DiscountedCosts {
  /**
   * Learns the losses of forecasts for one and the same time.
   * @param endMs start of that time; calls come in order of time.
   */
  observe(endMs: number, lossByName: ReadonlyMap<string, number>): void;
  /** Returns the shares of these forecasters, with a sum of one; null while nothing is known of any. */
  shares(names: readonly string[]): ReadonlyMap<string, number> | null;
  /** Takes over the costs of an earlier run for forecasters that were not compared here yet. */
  restore(costs: readonly ForecastCost[], comparisons: number): void;
  forget(name: string): void;
}

/**
 * Speeds of forgetting. Shares are decided for each and then averaged: traffic changes within hours when something happens and from day
 * to day when nothing does, and it is unknown beforehand which.
 */
const halfLivesMs = [1, 3, 12, 48].map((hours) => hours * hourMs);
/** Comparisons that a forecaster needs before it gets a share. */
const minComparisons = 10;
/** Comparisons after which the shares have half of their final sharpness: little experience is no reason to rely on one forecaster. */
const halfSureComparisons = 100;
/** Final sharpness; see decideShares. */
const sharpness = 20;

interface Cost {
  comparisons: number;
  /** Sums, one for each speed of forgetting. */
  loss: number[];
  yardstickLoss: number[];
}

const none = () => halfLivesMs.map(() => 0);

/**
 * Creates empty costs. A forecaster that joined late is judged by the moments at which it forecast: the yardstick is the median of all
 * losses of the same moment.
 * @param priorOf weight of a forecaster before anything is known.
 */
export function createDiscountedCosts(priorOf: (name: string) => number = () => 1): DiscountedCosts {
  const costs = new Map<string, Cost>();
  let observedMs = 0;

  return {
    observe(endMs, lossByName) {
      const sorted = [...lossByName.values()].sort((a, b) => a - b);
      const yardstick = sorted[Math.floor(sorted.length / 2)];
      if (yardstick === undefined) return;
      const decays = halfLivesMs.map((halfLifeMs) => 0.5 ** (Math.max(0, endMs - observedMs) / halfLifeMs));
      observedMs = endMs;
      for (const [name, loss] of lossByName) {
        const cost = costs.get(name) ?? { comparisons: 0, loss: none(), yardstickLoss: none() };
        costs.set(name, cost);
        cost.comparisons += 1;
        cost.loss = cost.loss.map((sum, speed) => sum * (decays[speed] as number) + loss);
        cost.yardstickLoss = cost.yardstickLoss.map((sum, speed) => sum * (decays[speed] as number) + yardstick);
      }
    },
    shares(names) {
      const known = names.flatMap((name) => {
        const cost = costs.get(name);
        return cost === undefined || cost.comparisons < minComparisons ? [] : [{ name, cost }];
      });
      if (known.length === 0) return null;
      const most = Math.max(...known.map(({ cost }) => cost.comparisons));
      const sure = most / (most + halfSureComparisons);
      const mean = new Map<string, number>();
      for (const speed of halfLivesMs.keys()) {
        const own = known.map(({ name, cost }) => ({
          name,
          loss: cost.loss[speed] as number,
          yardstickLoss: cost.yardstickLoss[speed] as number,
          prior: priorOf(name),
        }));
        for (const [name, share] of decideShares(own, sharpness * sure)) {
          mean.set(name, (mean.get(name) ?? 0) + share / halfLivesMs.length);
        }
      }
      return mean.size === 0 ? null : new Map([...mean].sort(([, a], [, b]) => b - a));
    },
    restore(earlier, comparisons) {
      for (const { name, loss, yardstickLoss } of earlier) {
        if (costs.has(name)) continue;
        costs.set(name, {
          comparisons,
          loss: halfLivesMs.map(() => loss),
          yardstickLoss: halfLivesMs.map(() => yardstickLoss),
        });
      }
    },
    forget(name) {
      costs.delete(name);
    },
  };
}
