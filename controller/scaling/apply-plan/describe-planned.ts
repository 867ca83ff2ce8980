import { count, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import type { PlanSummary } from "#controller/scaling/active-agents/scaling-inputs.ts";

const peak = (values: readonly number[]) => Math.max(0, ...values.filter(Number.isFinite));

/** What comes, in a sentence. */
export function describeTraffic(
  liveQps: number | null,
  expectedQps: readonly number[],
  coverQps: readonly number[],
): string {
  const now = liveQps === null ? "The present traffic is not known" : `Traffic is ${qps(liveQps)} texts/s`;
  return `${now}; up to ${qps(peak(expectedQps))} is expected within ${expectedQps.length} min, and ${qps(peak(coverQps))} is possible.`;
}

/** A bound that is further off says nothing of the plan: the solver was stopped too early. */
const tellingGap = 0.1;

/** What the plan costs and how good it is, in a sentence. */
export function describePrice({ costUsd, gap }: PlanSummary, minutes: number): string {
  const price = `The plan costs ${costUsd.toPrecision(3)} US$ for ${minutes} min`;
  if (gap === null) return `${price}; a search made it, and how far it is from the least cost is not known.`;
  if (gap < 0.0005) return `${price}, and none is cheaper.`;
  return gap > tellingGap
    ? `${price}; the solver had no time to find out whether a cheaper one exists.`
    : `${price}, at most ${(gap * 100).toFixed(1)} % more than the cheapest there may be.`;
}

/** "2 devices carry 560 at 80 % load". */
export function describeCarried(devices: number, carriedQps: number, targetUtilization: number): string {
  const what = count(devices, "device carries", "devices carry");
  return `${what} ${qps(carriedQps)} at ${Math.round(targetUtilization * 100)} % load`;
}
