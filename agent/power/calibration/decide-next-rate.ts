/** One stretch of load at a steady rate. */
export interface RateTrial {
  readonly rateQps: number;
  /** late: beyond the target, possibly by chance; hopeless: so far beyond it that chance is ruled out. */
  readonly verdict: "in-time" | "late" | "hopeless";
}

export interface RateSearch {
  /** First rate to try, texts per second. */
  readonly firstQps: number;
  readonly lowestQps: number;
  readonly highestQps: number;
  /** The search ends when the lowest rate that failed is at most this share above the highest that passed. */
  readonly tolerance: number;
}

export type NextRate =
  | ({ readonly kind: "try"; readonly rateQps: number } & (
      | { readonly rule: "first" | "repeat" }
      | { readonly rule: "lower"; readonly failedQps: number }
      | { readonly rule: "higher"; readonly passedQps: number }
      | { readonly rule: "between"; readonly passedQps: number; readonly failedQps: number }
    ))
  | ({ readonly kind: "done"; readonly capacityQps: number } & (
      | { readonly rule: "none-passed"; readonly failedQps: number }
      | { readonly rule: "highest-passed"; readonly passedQps: number }
      | { readonly rule: "converged"; readonly passedQps: number; readonly failedQps: number }
    ));

const growth = 1.4;
/** Attempts at a rate until its lateness counts: one hiccup of the machine is no limit. */
const latesToFail = 2;

/** Decides the next step in the search for the highest rate that is served in time: up by 40 % until one fails, then between the two. */
export function decideNextRate(trials: readonly RateTrial[], search: RateSearch): NextRate {
  const { lowestQps, highestQps, tolerance } = search;
  const clamp = (rate: number) => Math.min(highestQps, Math.max(lowestQps, rate));
  const newest = trials.at(-1);
  if (newest === undefined) {
    const rateQps = Number.isFinite(search.firstQps) ? clamp(search.firstQps) : lowestQps;
    return { kind: "try", rule: "first", rateQps };
  }
  const fails = (rate: number) => {
    const verdicts = trials.filter(({ rateQps }) => rateQps === rate).map(({ verdict }) => verdict);
    return verdicts.includes("hopeless") || verdicts.filter((verdict) => verdict === "late").length >= latesToFail;
  };
  if (newest.verdict === "late" && !fails(newest.rateQps))
    return { kind: "try", rule: "repeat", rateQps: newest.rateQps };
  const passed = trials.filter(({ verdict }) => verdict === "in-time").map(({ rateQps }) => rateQps);
  const passedQps = passed.length === 0 ? null : Math.max(...passed);
  const failed = trials.map(({ rateQps }) => rateQps).filter(fails);
  const failedQps = Math.min(...failed);
  if (passedQps === null) {
    if (failedQps <= lowestQps) return { kind: "done", rule: "none-passed", capacityQps: 0, failedQps };
    return { kind: "try", rule: "lower", rateQps: clamp(failedQps / growth ** 2), failedQps };
  }
  if (failed.length === 0) {
    if (passedQps >= highestQps) return { kind: "done", rule: "highest-passed", capacityQps: passedQps, passedQps };
    return { kind: "try", rule: "higher", rateQps: clamp(passedQps * growth), passedQps };
  }
  if (failedQps / passedQps <= 1 + tolerance)
    return { kind: "done", rule: "converged", capacityQps: passedQps, passedQps, failedQps };
  return { kind: "try", rule: "between", rateQps: Math.sqrt(passedQps * failedQps), passedQps, failedQps };
}
