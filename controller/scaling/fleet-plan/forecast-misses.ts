/** Comparisons of a day: a night's misses say little of the day's. */
export const dayOfComparisons = 1440;
/** How far off forecasts were is remembered for so many comparisons of each lead (three days of minutes), and looked at anew so often. */
const remembered = 4320;
const relearnMinutes = 240;
/** Until then, every so many comparisons. */
const relearnSoonMinutes = 60;
const leads = [0, 1, 2, 3, 6, 10, 14];
const longestLead = 15;
/** Before so many comparisons a forecast is taken to be this much too low. */
const fewestComparisons = 120;
const cautiousFactor = 1.5;
/** A miss counts for this share of what misses are usually like; one that is far beyond that for no more than so many of them. */
const newestShare = 0.05;
const mostUsual = 5;
/** Below this share of the root of the mean rate differences of roots are noise. */
const noiseShare = 0.02;
/** A rate whose root is below this share of it (a hundredth of the mean rate) is as good as none. */
const nothingShare = 0.1;

/** Learns by how much rates exceed what was forecast for them, for each lead by itself. Minutes are counted from anywhere, upwards. */
export interface ForecastMisses {
  /** Remembers what was forecast at the start of a minute for it and those after it. */
  note(minute: number, expectedQps: readonly number[]): void;
  /** The rate of a minute that has passed. */
  learn(minute: number, actualQps: number): void;
  /**
   * Rates that the coming minutes will exceed with probability 1 - quantile, each for itself.
   * @param reactLead minutes further ahead are bounded as this one is: more can still be ordered when they are nearer.
   */
  highQps(expectedQps: readonly number[], reactLead?: number): number[];
}

/** Of one lead: how large misses are lately, and the newest of them in those terms. */
interface Lead {
  usual: number;
  compared: number;
  readonly scores: Float64Array;
  highScore: number;
}

const root = (qps: number) => Math.sqrt(Math.max(0, qps));

/** The quantile as split conformal prediction takes it. Of many values only the few largest are kept in order. */
function conformalQuantile(values: Float64Array, quantile: number): number {
  const rank = Math.min(values.length, Math.ceil((values.length + 1) * quantile));
  const mostKept = values.length - rank + 1;
  const largest: number[] = [];
  for (const value of values) {
    if (largest.length === mostKept) {
      if (value <= (largest[0] as number)) continue;
      largest.shift();
    }
    let place = largest.length;
    while (place > 0 && (largest[place - 1] as number) > value) place -= 1;
    largest.splice(place, 0, value);
  }
  return largest[0] as number;
}

/**
 * Split conformal prediction on differences of square roots (where requests come by chance those spread alike at any rate: Bartlett 1936), each
 * divided by what they have been lately (normalised conformal prediction: Papadopoulos et al. 2002): restless hours get more room than calm ones.
 * @param quantile the share of minutes that should stay below `highQps`.
 * @param windowMinutes a minute's rate counts as the mean of so many minutes that end with it: more than one where a minute has only a handful of
 * requests.
 * @param cautiousFor before so many comparisons a forecast is taken to be at least as much too low as one of which nothing is known.
 */
export function createForecastMisses(
  quantile: number,
  { windowMinutes = 1, cautiousFor = 0 }: { readonly windowMinutes?: number; readonly cautiousFor?: number } = {},
): ForecastMisses {
  const came = new Map<number, number>();
  const made = new Map<number, readonly number[]>();
  const byLead = leads.map((): Lead => ({ usual: 0, compared: 0, scores: new Float64Array(remembered), highScore: 0 }));
  let sum = 0;
  let learnt = 0;

  const rootOfMean = () => root(learnt === 0 ? 0 : sum / learnt);
  const noise = () => noiseShare * rootOfMean();
  const compare = (lead: Lead, actual: number, expected: number) => {
    // Where nothing was expected and nothing came, nothing is learnt of how far off forecasts are when there is traffic.
    if (Math.max(actual, expected) <= nothingShare * rootOfMean()) return;
    const difference = actual - expected;
    const unit = lead.usual + noise();
    if (lead.compared > 0 && unit > 0) lead.scores[(lead.compared - 1) % remembered] = difference / unit;
    lead.compared += 1;
    const share = Math.max(newestShare, 1 / lead.compared);
    const size = lead.compared <= 5 ? Math.abs(difference) : Math.min(Math.abs(difference), mostUsual * unit);
    lead.usual += share * (size - lead.usual);
  };
  const relearn = () => {
    for (const lead of byLead) {
      if (lead.compared <= fewestComparisons) continue;
      lead.highScore = Math.max(
        0,
        conformalQuantile(lead.scores.subarray(0, Math.min(remembered, lead.compared - 1)), quantile),
      );
    }
  };
  const roomOf = ({ compared, usual, highScore }: Lead, expectedQps: number) => {
    const cautious = (Math.sqrt(cautiousFactor) - 1) * root(expectedQps);
    const own = compared <= fewestComparisons ? cautious : highScore * (usual + noise());
    return compared < cautiousFor ? Math.max(own, cautious) : own;
  };
  const roomAt = (lead: number, expectedQps: number) => {
    const room = (place: number) => roomOf(byLead[place] as Lead, expectedQps);
    const upper = leads.findIndex((each) => each >= lead);
    if (upper === -1) return room(leads.length - 1);
    if (leads[upper] === lead) return room(upper);
    const [from, to] = [leads[upper - 1] as number, leads[upper] as number];
    const share = (lead - from) / (to - from);
    return room(upper - 1) * (1 - share) + room(upper) * share;
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
        if (foretold?.[lead] === undefined) continue;
        const expected = windowMean(minute, minute - lead, (each) => foretold[each - minute + lead]);
        compare(byLead[place] as Lead, root(actual), root(expected));
      }
      const known = (byLead[0] as Lead).compared;
      if (learnt % (known < remembered ? relearnSoonMinutes : relearnMinutes) === 0) relearn();
    },
    highQps: (expectedQps, reactLead = Number.POSITIVE_INFINITY) =>
      expectedQps.map((rate, lead) => (root(rate) + roomAt(Math.min(lead, reactLead), rate)) ** 2),
  };
}
