import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { count, qps } from "./describe-figures.ts";

export interface DemandFigures {
  readonly liveQps: number | null;
  readonly forecastPeakQps: number | null;
  /** Agents that the higher of both takes, without limits, and within them. */
  readonly wanted: number;
  readonly need: number;
  /** No more can serve: the maximum, or all that are available. */
  readonly mostAgents: number;
  /** Who sets the limits, e.g. "policy factory"; null: the configuration. */
  readonly limitsOf: string | null;
  readonly policy: Pick<
    ScalingConfig,
    "horizonMinutes" | "targetUtilization" | "capacityPerReplicaQps" | "minReplicas" | "maxReplicas"
  >;
}

/** What comes and how many agents that takes, in half a sentence: "up to 812 texts/s are expected …: that takes 3 agents, …". */
export function describeDemand(figures: DemandFigures): string {
  const { liveQps, forecastPeakQps, wanted, need, mostAgents, limitsOf, policy } = figures;
  const within = `within ${policy.horizonMinutes} min`;
  const now = liveQps === null ? "the present traffic is not known" : `traffic is ${qps(liveQps)} texts/s`;
  const traffic =
    forecastPeakQps === null
      ? `${now}, and there is no forecast`
      : (liveQps ?? 0) > forecastPeakQps
        ? `${now}, more than is expected ${within} (${qps(forecastPeakQps)})`
        : `${now}, and up to ${qps(forecastPeakQps)} are expected ${within}`;
  const each = `loaded to ${Math.round(policy.targetUtilization * 100)} % of ${qps(policy.capacityPerReplicaQps)}`;
  const there = `there ${mostAgents === 1 ? "is" : "are"} only ${mostAgents}`;
  const maximum =
    limitsOf === null ? `${count(mostAgents, "is", "are")} the maximum` : `${limitsOf} allows ${mostAgents}`;
  const minimum = limitsOf === null ? `${count(need, "is", "are")} the minimum` : `${limitsOf} wants ${need}`;
  const most = mostAgents < policy.maxReplicas ? there : maximum;
  const limit = wanted > need ? `, but ${most}` : wanted < need ? `, and ${minimum}` : "";
  return `${traffic}: that takes ${count(wanted, "agent")} ${each}${limit}`;
}
