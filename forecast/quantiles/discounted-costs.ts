import { decideShares, type ForecastCost } from "./decide-shares.ts";

/** What forecasters' past forecasts cost, newer ones weighing more. */
export interface DiscountedCosts {
  /**
   * Learns what forecasts for one and the same time cost.
   * @param endMs when that time began; calls come in order of time.
   */
  observe(endMs: number, lossByName: ReadonlyMap<string, number>): void;
  /**
   * How much say each of these has, together one.
   * @returns null while nothing is known of any.
   */
  shares(names: readonly string[]): ReadonlyMap<string, number> | null;
  /** Takes over what an earlier run knew of forecasters that were not compared here yet. */
  restore(costs: readonly ForecastCost[], comparisons: number): void;
  forget(name: string): void;
}

/**
 * At which speeds of forgetting the shares are decided, each apart; their mean counts. How traffic behaves changes within hours when
 * something happens and from day to day when nothing does, and nobody knows beforehand which.
 */
const halfLivesMs = [1, 3, 12, 48].map((hours) => hours * 3_600_000);
/** Before so many comparisons nothing is known of a forecaster. */
const minComparisons = 10;
/** After so many comparisons the shares are half as sharp as they ever get: little experience is no reason to rely on one alone. */
const halfSureComparisons = 100;
/** See decideShares. */
const sharpness = 20;

interface Cost {
  comparisons: number;
  /** One for each speed of forgetting. */
  loss: number[];
  yardstickLoss: number[];
}

const none = () => halfLivesMs.map(() => 0);

/**
 * Whoever joined late is judged by the moments at which it forecast: the yardstick is the middle one of all losses of that very moment.
 * @param priorOf how much more than others a forecaster is trusted before anything is known; 1 where it is not.
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
