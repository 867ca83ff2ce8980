/** How far off forecasts were is remembered for so many minutes of each level and looked at every hour, at these leads. */
const rememberedMinutes = 2880;
const relearnMinutes = 60;
const leads = [0, 1, 3, 6, 10, 14];
const longestLead = 15;
/** Before so many comparisons a forecast is taken to be this much too low. */
const fewestRatios = 120;
const cautiousFactor = 1.5;
/** What was exceeded by more than this was a break in the traffic, against which no head-room helps: not learnt from. */
const mostRatio = 3;
/** Rates below this share of the mean are noise: ratios are damped by it. */
const dampingShare = 0.05;

/** Small rates are noisier than large ones: ratios are learnt apart for forecasts up to these multiples of the mean, and above. */
const levels = [0.5, 1, 2];

/** Learns by how much rates exceed what was forecast for them, for each lead by itself. Minutes are counted from anywhere, upwards. */
export interface ForecastMisses {
  /** Remembers what was forecast at the start of a minute for it and those after it. */
  note(minute: number, expectedQps: readonly number[]): void;
  /** The rate of a minute that has passed. */
  learn(minute: number, actualQps: number): void;
  /** Rates that the coming minutes will exceed with probability 1 - quantile, each for itself. */
  highQps(expectedQps: readonly number[]): number[];
}

/**
 * @param quantile the share of minutes that should stay below `highQps`.
 * @param windowMinutes a minute's rate counts as the mean of so many minutes that end with it: more than one where a minute has only a handful of
 * requests.
 */
export function createForecastMisses(quantile: number, windowMinutes = 1): ForecastMisses {
  const came = new Map<number, number>();
  const made = new Map<number, readonly number[]>();
  const ratios = leads.map(() => Array.from({ length: levels.length + 1 }, () => [] as number[]));
  let factors = ratios.map((ofLead) => ofLead.map(() => cautiousFactor));
  let sum = 0;
  let learnt = 0;

  const meanQps = () => (learnt === 0 ? 0 : sum / learnt);
  const damping = () => dampingShare * meanQps();
  const levelOf = (forecast: number) => {
    const level = levels.findIndex((most) => forecast <= most * meanQps());
    return level === -1 ? levels.length : level;
  };
  /** The quantile as split conformal prediction takes it. Of many values only the few largest are kept in order. */
  const factorOf = (list: readonly number[]): number => {
    const rank = Math.min(list.length, Math.ceil((list.length + 1) * quantile));
    const mostKept = list.length - rank + 1;
    const largest: number[] = [];
    for (const value of list) {
      if (largest.length === mostKept) {
        if (value <= (largest[0] as number)) continue;
        largest.shift();
      }
      let place = largest.length;
      while (place > 0 && (largest[place - 1] as number) > value) place -= 1;
      largest.splice(place, 0, value);
    }
    return Math.max(1, largest[0] as number);
  };
  const relearn = () => {
    factors = ratios.map((ofLead) => {
      const own = ofLead.map((list) => (list.length < fewestRatios ? null : factorOf(list)));
      if (!own.includes(null)) return own as number[];
      const all = ofLead.flat();
      const ofAll = all.length < fewestRatios ? cautiousFactor : factorOf(all);
      return own.map((factor) => factor ?? ofAll);
    });
  };
  const factorAt = (lead: number, level: number) => {
    const factor = (place: number) => factors[place]?.[level] as number;
    const upper = leads.findIndex((each) => each >= lead);
    if (upper === -1) return factor(leads.length - 1);
    if (leads[upper] === lead) return factor(upper);
    const [from, to] = [leads[upper - 1] as number, leads[upper] as number];
    const share = (lead - from) / (to - from);
    return factor(upper - 1) * (1 - share) + factor(upper) * share;
  };

  /** The rate at the end of a minute, by what came before `origin` and what `qpsAt` says from then on. */
  const windowMean = (minute: number, origin: number, qpsAt: (minute: number) => number | undefined) => {
    let total = 0;
    let known = 0;
    for (let each = minute - windowMinutes + 1; each <= minute; each += 1) {
      const qps = each < origin ? came.get(each) : qpsAt(each);
      if (qps === undefined) continue;
      total += qps;
      known += 1;
    }
    return total / known;
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
      came.set(minute, actualQps);
      for (const old of came.keys()) if (old <= minute - windowMinutes || old > minute) came.delete(old);
      const actual = windowMean(minute, minute + 1, () => undefined);
      for (const [place, lead] of leads.entries()) {
        const foretold = made.get(minute - lead);
        if (foretold?.[lead] === undefined || damping() === 0) continue;
        const forecast = windowMean(minute, minute - lead, (each) => foretold[each - minute + lead]);
        const list = ratios[place]?.[levelOf(forecast)] as number[];
        const ratio = (actual + damping()) / (forecast + damping());
        if (ratio <= mostRatio) list.push(ratio);
        if (list.length > rememberedMinutes) list.shift();
      }
      if (learnt % relearnMinutes === 0) relearn();
    },
    highQps: (expectedQps) =>
      expectedQps.map((rate, lead) => (rate + damping()) * factorAt(lead, levelOf(rate)) - damping()),
  };
}
