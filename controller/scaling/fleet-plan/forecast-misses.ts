/** Comparisons of a day: misses at night say little about the day. */
export const dayOfComparisons = 1440;
/** Number of comparisons that are remembered for each lead (three days of minutes). */
const remembered = 4320;
/** Minutes between two evaluations of them, and while fewer are remembered. */
const relearnMinutes = 240;
const relearnSoonMinutes = 60;
/** Leads in minutes that are learnt; those between are interpolated. */
const leads = [0, 1, 2, 3, 6, 10, 14];
const leadCount = 15;
/** Number of comparisons before which a forecast is taken to be too low by the cautious factor. */
const minComparisons = 120;
const cautiousFactor = 1.5;
/** Weight of a new miss in the usual size of misses; one beyond `maxUsual` times that size counts as that. */
const newestShare = 0.05;
const maxUsual = 5;
/** Share of the root of the mean rate below which differences of roots are noise. */
const noiseShare = 0.02;
/** Share of the root of the mean rate below which a rate counts as none (a hundredth of the mean rate). */
const nothingShare = 0.1;

/** Memory of one lead: the usual size of misses lately, and the newest of them relative to it. */
interface Lead {
  usual: number;
  compared: number;
  readonly scores: Float64Array;
  highScore: number;
}

const root = (qps: number) => Math.sqrt(Math.max(0, qps));

/** Quantile as split conformal prediction defines it; only the few largest values are kept in order. */
function conformalQuantile(values: Float64Array, quantile: number): number {
  const rank = Math.min(values.length, Math.ceil((values.length + 1) * quantile));
  const maxKept = values.length - rank + 1;
  const largest: number[] = [];
  for (const value of values) {
    if (largest.length === maxKept) {
      if (value <= (largest[0] as number)) continue;
      largest.shift();
    }
    let place = largest.length;
    while (place > 0 && (largest[place - 1] as number) > value) place -= 1;
    largest.splice(place, 0, value);
  }
  return largest[0] as number;
}

export interface ForecastMissesOptions {
  /** Number of minutes, ending with it, that a minute's rate is averaged over: more than one where a minute has only a handful of requests. */
  readonly windowMinutes?: number;
  /** Number of comparisons before which the headroom is at least the cautious one. */
  readonly cautiousFor?: number;
}

/**
 * Learns by how much rates exceed their forecasts, for each lead separately: split conformal prediction on differences of square roots (random
 * arrivals spread alike at any rate there: Bartlett 1936), each divided by their recent size (normalised conformal prediction: Papadopoulos et
 * al. 2002): restless hours get more headroom than calm ones. Minutes are counted from any start, upwards.
 */
export class ForecastMisses {
  readonly #quantile: number;
  readonly #windowMinutes: number;
  readonly #cautiousFor: number;
  /** Rates that came, and forecasts that were made, by minute. */
  readonly #came = new Map<number, number>();
  readonly #made = new Map<number, readonly number[]>();
  readonly #byLead = leads.map(
    (): Lead => ({ usual: 0, compared: 0, scores: new Float64Array(remembered), highScore: 0 }),
  );
  #sum = 0;
  #learnt = 0;

  /** @param quantile share of minutes that should stay below {@link highQps}. */
  constructor(quantile: number, { windowMinutes = 1, cautiousFor = 0 }: ForecastMissesOptions = {}) {
    this.#quantile = quantile;
    this.#windowMinutes = windowMinutes;
    this.#cautiousFor = cautiousFor;
  }

  /** Records the forecast made at the start of a minute for it and those after it. */
  note(minute: number, expectedQps: readonly number[]): void {
    const made = this.#made;
    made.set(minute, expectedQps);
    // Forecasts of later minutes are from before the clock was set back.
    for (const old of made.keys()) if (old <= minute - leadCount || old > minute) made.delete(old);
  }

  /** Records the rate of a minute that has passed. */
  learn(minute: number, actualQps: number): void {
    this.#sum += actualQps;
    this.#learnt += 1;
    const came = this.#came;
    came.set(minute, actualQps);
    for (const old of came.keys()) if (old <= minute - this.#windowMinutes || old > minute) came.delete(old);
    const actual = this.#windowMean(minute, minute + 1, () => undefined);
    for (const [place, lead] of leads.entries()) {
      const foretold = this.#made.get(minute - lead);
      if (foretold?.[lead] === undefined) continue;
      const expected = this.#windowMean(minute, minute - lead, (each) => foretold[each - minute + lead]);
      this.#compare(this.#byLead[place] as Lead, root(actual), root(expected));
    }
    const known = (this.#byLead[0] as Lead).compared;
    if (this.#learnt % (known < remembered ? relearnSoonMinutes : relearnMinutes) === 0) this.#relearn();
  }

  /**
   * Returns the rates that each of the coming minutes will exceed with probability 1 - quantile.
   * @param reactLead lead whose headroom holds for all minutes further ahead: more can still be ordered when they are nearer.
   */
  highQps(expectedQps: readonly number[], reactLead: number = Number.POSITIVE_INFINITY): number[] {
    return expectedQps.map((rate, lead) => (root(rate) + this.#headroomAt(Math.min(lead, reactLead), rate)) ** 2);
  }

  #rootOfMean(): number {
    return root(this.#learnt === 0 ? 0 : this.#sum / this.#learnt);
  }

  #noise(): number {
    return noiseShare * this.#rootOfMean();
  }

  #compare(lead: Lead, actual: number, expected: number): void {
    // A minute in which nothing was expected and nothing came says nothing about forecasts of real traffic.
    if (Math.max(actual, expected) <= nothingShare * this.#rootOfMean()) return;
    const difference = actual - expected;
    const unit = lead.usual + this.#noise();
    if (lead.compared > 0 && unit > 0) lead.scores[(lead.compared - 1) % remembered] = difference / unit;
    lead.compared += 1;
    const share = Math.max(newestShare, 1 / lead.compared);
    const size = lead.compared <= 5 ? Math.abs(difference) : Math.min(Math.abs(difference), maxUsual * unit);
    lead.usual += share * (size - lead.usual);
  }

  #relearn(): void {
    for (const lead of this.#byLead) {
      if (lead.compared <= minComparisons) continue;
      const known = lead.scores.subarray(0, Math.min(remembered, lead.compared - 1));
      lead.highScore = Math.max(0, conformalQuantile(known, this.#quantile));
    }
  }

  #headroomOf({ compared, usual, highScore }: Lead, expectedQps: number): number {
    const cautious = (Math.sqrt(cautiousFactor) - 1) * root(expectedQps);
    const own = compared <= minComparisons ? cautious : highScore * (usual + this.#noise());
    return compared < this.#cautiousFor ? Math.max(own, cautious) : own;
  }

  #headroomAt(lead: number, expectedQps: number): number {
    const headroom = (place: number) => this.#headroomOf(this.#byLead[place] as Lead, expectedQps);
    const upper = leads.findIndex((each) => each >= lead);
    if (upper === -1) return headroom(leads.length - 1);
    if (leads[upper] === lead) return headroom(upper);
    const [from, to] = [leads[upper - 1] as number, leads[upper] as number];
    const share = (lead - from) / (to - from);
    return headroom(upper - 1) * (1 - share) + headroom(upper) * share;
  }

  /** Mean rate of the window that ends with a minute: rates that came before `origin`, and those of `qpsAt` from then on. */
  #windowMean(minute: number, origin: number, qpsAt: (minute: number) => number | undefined): number {
    let total = 0;
    let known = 0;
    for (let each = minute - this.#windowMinutes + 1; each <= minute; each += 1) {
      const qps = each < origin ? this.#came.get(each) : qpsAt(each);
      if (qps === undefined) continue;
      total += qps;
      known += 1;
    }
    return total / known;
  }
}
