/** How much may come that a mode does not carry: learnt from how often that was too much. */
export interface SloBudget {
  /** A minute is over in which requests were served. @param missed whether the mode was too small in some part of it. */
  observe(missed: boolean): void;
  /** The share of the coming peaks that must stay within a mode's capacity. */
  quantile(): number;
}

/** A missed minute halves what may be exceeded; so much is given back over the minutes that the budget allows for one. */
const tightening = 2;
const highestQuantile = 0.995;
const lowestQuantile = 0.5;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/**
 * Keeps the share of missed minutes at a budget: a minute that a mode did not carry halves the probability with which the coming peak may
 * exceed one, and that is given back bit by bit in the time in which the budget allows one such minute (adaptive conformal inference, Gibbs
 * and Candès 2021, with the missed minute as its error and steps of ratio instead of difference). What is spent stays near the budget
 * whatever the traffic and the board are: after n minutes at most n × budget + log2((1 - start) / 0.005) were missed, as long as the highest
 * quantile itself holds; and where minutes are never missed, energy is saved until they are.
 * @param start the quantile before anything was seen.
 * @param budget the share of minutes that may be missed, above 0.
 */
export function createSloBudget(start: number, budget: number): SloBudget {
  const lowest = Math.log(1 - highestQuantile);
  const highest = Math.log(1 - lowestQuantile);
  let logExceeded = clamp(Math.log(1 - start), lowest, highest);
  return {
    observe(missed) {
      const change = Math.log(tightening) * (budget - (missed ? 1 : 0));
      logExceeded = clamp(logExceeded + change, lowest, highest);
    },
    quantile: () => 1 - Math.exp(logExceeded),
  };
}
