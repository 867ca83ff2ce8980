/** One stretch of load at a steady rate. */
export interface RateTrial {
  readonly rateQps: number;
  /** late: not within the target, which may be chance; hopeless: nowhere near it, which is none. */
  readonly verdict: "in-time" | "late" | "hopeless";
}

export interface RateSearch {
  /** Where to begin, texts a second. */
  readonly firstQps: number;
  readonly lowestQps: number;
  readonly highestQps: number;
  /** The search ends when the lowest rate that failed is at most this share above the highest that did not. */
  readonly tolerance: number;
}

export type NextRate =
  | { readonly kind: "try"; readonly rateQps: number; readonly reason: string }
  | { readonly kind: "done"; readonly capacityQps: number; readonly reason: string };

const growth = 1.4;
/** A rate that was late is tried so often before it counts: one hiccup of the machine is no limit. */
const latenessThatCounts = 2;

const show = (rate: number) => `${Number(rate.toPrecision(3))} qps`;

/** The next step in the search for the highest rate that is served in time: up by 40 % until one fails, then between the two. */
export function decideNextRate(trials: readonly RateTrial[], search: RateSearch): NextRate {
  const { lowestQps, highestQps, tolerance } = search;
  const within = (rate: number) => Math.min(highestQps, Math.max(lowestQps, rate));
  const passed = trials.filter(({ verdict }) => verdict === "in-time").map(({ rateQps }) => rateQps);
  const highest = passed.length === 0 ? null : Math.max(...passed);
  const newest = trials.at(-1);
  if (newest === undefined) {
    const first = Number.isFinite(search.firstQps) ? within(search.firstQps) : lowestQps;
    return { kind: "try", rateQps: first, reason: "to begin with" };
  }
  const fails = (rate: number) => {
    const verdicts = trials.filter(({ rateQps }) => rateQps === rate).map(({ verdict }) => verdict);
    return (
      verdicts.includes("hopeless") || verdicts.filter((verdict) => verdict === "late").length >= latenessThatCounts
    );
  };
  if (newest.verdict === "late" && !fails(newest.rateQps))
    return { kind: "try", rateQps: newest.rateQps, reason: "once more: it was late" };
  const failed = trials.map(({ rateQps }) => rateQps).filter(fails);
  const limit = failed.length === 0 ? null : Math.min(...failed);
  if (highest === null) {
    const rate = limit ?? lowestQps;
    if (rate <= lowestQps) return { kind: "done", capacityQps: 0, reason: `even ${show(rate)} is not served in time` };
    return { kind: "try", rateQps: within(rate / growth ** 2), reason: `${show(rate)} was late` };
  }
  if (limit === null) {
    if (highest >= highestQps)
      return {
        kind: "done",
        capacityQps: highest,
        reason: `${show(highest)}, the highest rate that is tried, is served in time`,
      };
    return { kind: "try", rateQps: within(highest * growth), reason: `${show(highest)} was in time` };
  }
  if (limit / highest <= 1 + tolerance)
    return { kind: "done", capacityQps: highest, reason: `${show(highest)} is served in time, ${show(limit)} is not` };
  return { kind: "try", rateQps: Math.sqrt(highest * limit), reason: `between ${show(highest)} and ${show(limit)}` };
}
