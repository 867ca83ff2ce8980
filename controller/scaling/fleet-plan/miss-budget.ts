/** Share of minutes that may be missed: less than the one in a thousand that is to be kept, as coming traffic is never quite like the past. */
const budget = 0.0006;
/** Amount that a missed minute adds to the factor; a minute without a miss subtracts as much as keeps the budget in the long run. */
const step = 0.1;
const firstFactor = 1.2;
const factorLimits = [0.5, 3] as const;
/** Multiple of the headroom beyond which a rate is a break in the traffic: headroom does not help against those. */
const maxHeadrooms = 3;
/** A break is also this much above what was expected. */
const breakFactor = 1.5;
/** Minutes after a break in which the forecast is worth little: the newest rates may come again, and more by the usual headroom as a share. */
const breakMinutes = 15;
const newestMinutes = 5;
const usualShareAlpha = 1 / 60;
/** Minutes that have to be watched before the headroom is changed. */
const warmUpMinutes = 180;

/** Adjusts headroom by its outcome, so that missed minutes stay within a budget whatever the traffic is like. */
export interface MissBudget {
  /**
   * Returns the rates to be ready for.
   * @param highQps rates that will hardly be exceeded by the forecast's own misses.
   * @param calibrated true where `highQps` has been exceeded as often as it should be: nothing comes on top unless minutes were missed.
   */
  coverQps(expectedQps: readonly number[], highQps: readonly number[], calibrated?: boolean): number[];
  /** Records the outcome of the minute that {@link coverQps} was last asked for. */
  learn(rateQps: number, missed: boolean): void;
}

const root = (qps: number) => Math.sqrt(Math.max(0, qps));

/** Creates a budget whose factor follows the misses as in adaptive conformal inference (Gibbs & Candès 2021). */
export function createMissBudget(): MissBudget {
  let factor: number = firstFactor;
  let learnt = 0;
  let breakLeft = 0;
  let newest: readonly number[] = [];
  /** Rate that may come as a multiple of the expected one, in calm times. */
  let usualMultiple = breakFactor;
  let latest: { readonly expected: number; readonly headroom: number } | null = null;
  return {
    coverQps(expectedQps, highQps, calibrated = false) {
      const [expected, high] = [root(expectedQps[0] ?? 0), root(highQps[0] ?? 0)];
      latest = { expected, headroom: Math.max(0, high - expected) };
      const multiple = (high / expected) ** 2;
      if (breakLeft === 0 && Number.isFinite(multiple)) {
        usualMultiple += usualShareAlpha * (Math.min(breakFactor, Math.max(1, multiple)) - usualMultiple);
      }
      const afterBreak = breakLeft === 0 ? 0 : Math.max(0, ...newest) * usualMultiple;
      const applied = learnt < warmUpMinutes ? 1 : calibrated ? Math.max(1, factor / firstFactor) : factor;
      return expectedQps.map((rate, lead) => {
        const headroom = Math.max(0, root(highQps[lead] ?? rate) - root(rate));
        return Math.max(afterBreak, (root(rate) + applied * headroom) ** 2);
      });
    },
    learn(rateQps, missed) {
      if (latest === null) return;
      learnt += 1;
      const { expected, headroom } = latest;
      newest = [...newest, rateQps].slice(-newestMinutes);
      const isBeyond = root(rateQps) > expected + maxHeadrooms * headroom;
      breakLeft = isBeyond && rateQps > breakFactor * expected ** 2 ? breakMinutes : Math.max(0, breakLeft - 1);
      if (learnt <= warmUpMinutes) return;
      const counts = missed && !isBeyond;
      factor = Math.min(factorLimits[1], Math.max(factorLimits[0], factor + step * ((counts ? 1 : 0) - budget)));
    },
  };
}
