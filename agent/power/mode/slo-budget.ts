/** Learns the quantile of coming peaks that a mode must carry, from the share of missed minutes. */
export interface SloBudget {
  /** Takes in a minute of service. @param missed true when the mode was too small in some part of it */
  observe(missed: boolean): void;
  /** Returns the share of the coming peaks that must stay within a mode's capacity. */
  quantile(): number;
}

/** Factor by which a missed minute lowers the allowed probability of exceeding capacity. */
const tightening = 2;
const highestQuantile = 0.995;
const lowestQuantile = 0.5;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/**
 * Keeps the share of missed minutes at a budget: a missed minute halves the probability with which the coming peak may exceed the mode, and
 * the minutes for which the budget allows one missed minute restore it step by step (adaptive conformal inference, Gibbs and Candès 2021, with
 * the missed minute as its error and steps of ratio instead of difference). The share stays near the budget for any traffic and board: at
 * most n × budget + log2((1 - start) / 0.005) of n minutes are missed, as long as the highest quantile holds; and without missed
 * minutes energy is saved until there are some.
 * @param start first quantile
 * @param budget share of minutes that may be missed, above 0
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
