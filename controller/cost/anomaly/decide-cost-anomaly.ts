import { type DayOfCost, expectCost, spreadOf } from "./expected-cost.ts";
import { medianOf, robustSpread } from "./robust.ts";

export interface AnomalyInput {
  /** Days with records, oldest first; the last one is judged. */
  readonly days: readonly DayOfCost[];
  /** Robust deviations beyond which a day is an anomaly. */
  readonly threshold: number;
  /** Amount that an anomaly must be worth, US$. */
  readonly minUsd: number;
}

export interface CostAnomaly {
  /**
   * cost-of-requests: the day cost more than its requests did before; level: it cost more than the days before, as its requests were more, too;
   * too-few-days: fewer than seven days came before.
   */
  readonly rule: "normal" | "level" | "cost-of-requests" | "too-few-days";
  readonly isAnomaly: boolean;
  /** Robust deviations of the day by the rule, else the larger one. */
  readonly score: number;
  readonly costUsd: number;
  /** Cost that the rule expected. */
  readonly expectedUsd: number;
  readonly requests: number;
  /** Median requests of the week before. */
  readonly usualRequests: number;
}

const weekDays = 7;
/** Days from which the relation of cost and requests is learned. */
const learnedDays = 28;
const deviations = (by: number, spread: number) => (by <= 0 ? 0 : spread > 0 ? by / spread : Number.MAX_VALUE);

/**
 * Decides whether a day cost too much: more robust deviations above the median of the week before than the threshold, where a deviation is also as
 * wide as days usually differ from the next; or above what its requests would have cost by the last four weeks. A day that cost less is none.
 */
export function decideCostAnomaly({ days, threshold, minUsd }: AnomalyInput): CostAnomaly {
  const { costUsd, requests } = days.at(-1) ?? { costUsd: 0, requests: 0 };
  const before = days.slice(0, -1).slice(-learnedDays);
  const week = before.slice(-weekDays);
  const usualRequests = medianOf(week.map((day) => day.requests));
  const common = { costUsd, requests, usualRequests };
  if (week.length < weekDays)
    return { ...common, rule: "too-few-days", isAnomaly: false, score: 0, expectedUsd: costUsd };
  const costs = before.map((day) => day.costUsd);
  const ofWeek = week.map((day) => day.costUsd);
  const median = medianOf(ofWeek);
  const steps = costs.slice(1).map((cost, index) => cost - (costs[index] as number));
  const spread = Math.max(robustSpread(ofWeek, median), robustSpread(steps, 0));
  const level = deviations(costUsd - median, spreadOf({ usd: median, spread }));
  const expectation = expectCost(before, days.at(-1) as DayOfCost);
  const expected = expectation.usd;
  const byRequests = deviations(costUsd - expected, spreadOf(expectation));
  const isBeyond = (score: number, usd: number) => score > threshold && costUsd - usd > minUsd;
  // The part explained by more requests is reported as more traffic, not as higher prices.
  if (isBeyond(byRequests, expected))
    return { ...common, rule: "cost-of-requests", isAnomaly: true, score: byRequests, expectedUsd: expected };
  if (isBeyond(level, median)) return { ...common, rule: "level", isAnomaly: true, score: level, expectedUsd: median };
  return { ...common, rule: "normal", isAnomaly: false, score: Math.max(level, byRequests), expectedUsd: expected };
}
