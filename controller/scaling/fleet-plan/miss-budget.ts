/** The share of minutes that may be missed: less than the one in a thousand that is meant to be kept, as what comes is never quite like what came. */
const budget = 0.0006;
/** What a missed minute adds to the factor; a minute without takes away as much as keeps the budget in the long run. */
const step = 0.1;
const firstFactor = 1.2;
const factorLimits = [0.5, 3] as const;
/** A rate further above what was expected than so many times the head-room is a break in the traffic: head-room doesn't help against those. */
const mostRooms = 3;
/**
 * A break is that, and half as much again as expected. For so long after one the forecast is worth little: what has come in the newest minutes may
 * come again, and more by the usual room as a share.
 */
const breakFactor = 1.5;
const breakMinutes = 15;
const newestMinutes = 5;
const usualShareAlpha = 1 / 60;
/** Before so many minutes were watched the head-room is taken as it is. */
const warmUpMinutes = 180;

/** Head-room by what came of it: as much as keeps the missed minutes within a budget, whatever the traffic is like. */
export interface MissBudget {
  /**
   * What to be ready for.
   * @param highQps what a forecast's own misses say that the rates will hardly exceed.
   */
  coverQps(expectedQps: readonly number[], highQps: readonly number[]): number[];
  /** What came of the minute that {@link coverQps} was last asked for. */
  learn(rateQps: number, missed: boolean): void;
}

const root = (qps: number) => Math.sqrt(Math.max(0, qps));

/** The factor follows the misses as in adaptive conformal inference (Gibbs & Candès 2021). */
export function createMissBudget(): MissBudget {
  let factor: number = firstFactor;
  let learnt = 0;
  let breakLeft = 0;
  let newest: readonly number[] = [];
  /** What may come as a multiple of what is expected, in calm times. */
  let usualMultiple = breakFactor;
  let latest: { readonly expected: number; readonly room: number } | null = null;
  return {
    coverQps(expectedQps, highQps) {
      const [expected, high] = [root(expectedQps[0] ?? 0), root(highQps[0] ?? 0)];
      latest = { expected, room: Math.max(0, high - expected) };
      const multiple = (high / expected) ** 2;
      if (breakLeft === 0 && Number.isFinite(multiple)) {
        usualMultiple += usualShareAlpha * (Math.min(breakFactor, Math.max(1, multiple)) - usualMultiple);
      }
      const afterBreak = breakLeft === 0 ? 0 : Math.max(0, ...newest) * usualMultiple;
      return expectedQps.map((rate, lead) => {
        const room = Math.max(0, root(highQps[lead] ?? rate) - root(rate));
        return Math.max(afterBreak, (root(rate) + (learnt < warmUpMinutes ? 1 : factor) * room) ** 2);
      });
    },
    learn(rateQps, missed) {
      if (latest === null) return;
      learnt += 1;
      const { expected, room } = latest;
      newest = [...newest, rateQps].slice(-newestMinutes);
      const isBeyond = root(rateQps) > expected + mostRooms * room;
      breakLeft = isBeyond && rateQps > breakFactor * expected ** 2 ? breakMinutes : Math.max(0, breakLeft - 1);
      if (learnt <= warmUpMinutes) return;
      const counts = missed && !isBeyond;
      factor = Math.min(factorLimits[1], Math.max(factorLimits[0], factor + step * ((counts ? 1 : 0) - budget)));
    },
  };
}
