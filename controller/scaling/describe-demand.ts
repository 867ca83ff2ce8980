import { count, qps } from "./describe-figures.ts";
import type { ScalingConfig } from "./scaling-config.ts";

export interface DemandFigures {
  readonly liveQps: number | null;
  readonly forecastPeakQps: number | null;
  /** Agents that the higher of both takes, without limits, and within them. */
  readonly wanted: number;
  readonly need: number;
  /** No more can serve: the maximum, or all that are available. */
  readonly mostAgents: number;
  readonly policy: Pick<
    ScalingConfig,
    "horizonMinutes" | "targetUtilization" | "capacityPerReplicaQps" | "minReplicas" | "maxReplicas"
  >;
}

/** What comes and how many agents that takes, in half a sentence: "up to 812 texts/s are expected …: that takes 3 agents, …". */
export function describeDemand(figures: DemandFigures): string {
  const { liveQps, forecastPeakQps, wanted, need, mostAgents, policy } = figures;
  const within = `within ${policy.horizonMinutes} min`;
  const now = liveQps === null ? "the present traffic is not known" : `traffic is ${qps(liveQps)} texts/s`;
  const traffic =
    forecastPeakQps === null
      ? `${now}, and there is no forecast`
      : (liveQps ?? 0) > forecastPeakQps
        ? `${now}, more than is expected ${within} (${qps(forecastPeakQps)})`
        : `${now}, and up to ${qps(forecastPeakQps)} are expected ${within}`;
  const each = `loaded to ${Math.round(policy.targetUtilization * 100)} % of ${qps(policy.capacityPerReplicaQps)}`;
  const most =
    mostAgents < policy.maxReplicas
      ? `there ${mostAgents === 1 ? "is" : "are"} only ${mostAgents}`
      : `${count(mostAgents, "is", "are")} the maximum`;
  const fewest = count(need, "is", "are");
  const limit = wanted > need ? `, but ${most}` : wanted < need ? `, and ${fewest} the minimum` : "";
  return `${traffic}: that takes ${count(wanted, "agent")} ${each}${limit}`;
}
