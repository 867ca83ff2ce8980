import type { History } from "./replica-inputs.ts";

export interface StabilisationWindows {
  readonly upS: number;
  readonly downS: number;
}

/**
 * Growth goes no further than the lowest wish of the up window, shrinking no further than the highest of the down window. Only records
 * strictly younger than the window count.
 */
export function stabilise(
  wish: number,
  currentReplicas: number,
  recommendations: History["recommendations"],
  { upS, downS }: StabilisationWindows,
): number {
  let low = wish;
  let high = wish;
  for (const { agoS, replicas } of recommendations) {
    if (agoS < upS) low = Math.min(low, replicas);
    if (agoS < downS) high = Math.max(high, replicas);
  }
  return Math.min(Math.max(currentReplicas, low), high);
}

/** Without rules: the highest wish of the last 300 s, the end of that time included. */
export function stabiliseWithoutRules(wish: number, recommendations: History["recommendations"]): number {
  return recommendations.reduce((high, { agoS, replicas }) => (agoS <= 300 ? Math.max(high, replicas) : high), wish);
}
