import { dayMs } from "#platform/time.ts";

/** Time without a share after which a forecaster rests, and length of the rest: traffic may have changed meanwhile. */
const trialMs = 2 * dayMs;
const restMs = 7 * dayMs;

/**
 * Decides for a forecaster that last had a share, or began a trial, at `sinceMs`.
 * @returns rest: it neither learns nor forecasts; try: its next trial begins; work: it continues.
 */
export function decideRest(sinceMs: number, nowMs: number): "work" | "rest" | "try" {
  const idleMs = nowMs - sinceMs;
  // A clock set back is no reason to rest.
  if (idleMs < trialMs) return "work";
  return idleMs < trialMs + restMs ? "rest" : "try";
}
