import { newestMinuteMs } from "#controller/fleet/clock-skew.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { meanMeasuredQps } from "#controller/scaling/slo/observe-capacity.ts";
import type { FleetLook } from "./live-policy.ts";

/** Part of a decision's inputs that a policy is asked with. */
export type LookInputs = Pick<ScalingInputs, "candidates" | "liveQps" | "missingData" | "warmUpEndsMs">;

/** Returns the fleet as a policy is asked about it. */
export function lookAtFleet(
  { candidates, liveQps, missingData, warmUpEndsMs }: LookInputs,
  {
    fleet,
    maxDataAgeMs,
    frozen,
    atMs,
  }: {
    readonly fleet: Pick<Fleet, "get">;
    readonly maxDataAgeMs: number;
    readonly frozen: string | null;
    readonly atMs: number;
  },
): FleetLook {
  const meant = candidates.filter(({ active }) => active);
  const serving = meant.filter(({ unavailable }) => unavailable === null);
  return {
    nowMs: atMs,
    currentReplicas: meant.length,
    readyReplicas: serving.length,
    liveQps,
    measuredReplicaQps: meanMeasuredQps(serving),
    missingData: [...missingData],
    warmUpLeftS: Math.max(0, (warmUpEndsMs - atMs) / 1000),
    frozen,
    serving: serving.map(({ agentId }) => {
      const agent = fleet.get(agentId);
      const minute = agent?.recent.at(-1);
      const isFresh = agent !== undefined && newestMinuteMs(agent) >= atMs - maxDataAgeMs;
      return { agentId, minute: isFresh && minute !== undefined ? minute : null };
    }),
  };
}
