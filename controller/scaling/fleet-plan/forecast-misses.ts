/** How far off forecasts were is remembered for two days and looked at every half hour, at these leads. */
const rememberedMinutes = 2880;
const relearnMinutes = 30;
const leads = [0, 1, 3, 6, 10, 14];
const longestLead = 15;
/** Before so many comparisons a forecast is taken to be this much too low. */
const fewestRatios = 120;
const cautiousFactor = 1.5;
/** What was exceeded by more than this was a break in the traffic, against which no head-room helps: not learnt from. */
const mostRatio = 3;
/** Rates below this share of the mean are noise: ratios are damped by it. */
const dampingShare = 0.05;

/** Learns by how much rates exceed what was forecast for them, for each lead by itself. Minutes are counted from anywhere, upwards. */
export interface ForecastMisses {
  /** Remembers what was forecast at the start of a minute for it and those after it. */
  note(minute: number, expectedQps: readonly number[]): void;
  /** The rate of a minute that has passed. */
  learn(minute: number, actualQps: number): void;
  /** Rates that the coming minutes will exceed with probability 1 - quantile, each for itself. */
  highQps(expectedQps: readonly number[]): number[];
}

/** @param quantile the share of minutes that should stay below `highQps`. */
export function createForecastMisses(quantile: number): ForecastMisses {
  const made = new Map<number, readonly number[]>();
  const ratios = leads.map(() => [] as number[]);
  let factors = leads.map(() => cautiousFactor);
  let sum = 0;
  let learnt = 0;

  const damping = () => (learnt === 0 ? 0 : (dampingShare * sum) / learnt);
  const relearn = () => {
    factors = ratios.map((list) => {
      if (list.length < fewestRatios) return cautiousFactor;
      const sorted = Float64Array.from(list).sort();
      return Math.max(1, sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length + 1) * quantile) - 1)] as number);
    });
  };
  const factorAt = (lead: number) => {
    const upper = leads.findIndex((each) => each >= lead);
    if (upper === -1) return factors.at(-1) as number;
    if (leads[upper] === lead) return factors[upper] as number;
    const [from, to] = [leads[upper - 1] as number, leads[upper] as number];
    const share = (lead - from) / (to - from);
    return (factors[upper - 1] as number) * (1 - share) + (factors[upper] as number) * share;
  };

  return {
    note(minute, expectedQps) {
      made.set(minute, expectedQps);
      // Those of later minutes are of a clock that was set back.
      for (const old of made.keys()) if (old <= minute - longestLead || old > minute) made.delete(old);
    },
    learn(minute, actualQps) {
      sum += actualQps;
      learnt += 1;
      for (const [place, lead] of leads.entries()) {
        const forecast = made.get(minute - lead)?.[lead];
        if (forecast === undefined || damping() === 0) continue;
        const list = ratios[place] as number[];
        const ratio = (actualQps + damping()) / (forecast + damping());
        if (ratio <= mostRatio) list.push(ratio);
        if (list.length > rememberedMinutes) list.shift();
      }
      if (learnt % relearnMinutes === 0) relearn();
    },
    highQps: (expectedQps) => expectedQps.map((rate, lead) => (rate + damping()) * factorAt(lead) - damping()),
  };
}
