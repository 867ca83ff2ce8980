import { agentsNeeded } from "#controller/scaling/active-agents/agents-needed.ts";
import { limitProposal } from "#controller/scaling/reference/hpa/limit-proposal.ts";
import { decidePrediction, type PredictionDecision } from "./prediction/decide-prediction.ts";
import type { DataGap, LimitStep, ScalingDecision, ScalingHold, ScalingLimit } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import { decideSchedules } from "./schedules/decide-schedules.ts";
import { decideTriggers } from "./triggers/decide-triggers.ts";

type Load = ScalingDecision["proposals"]["load"];

/** Limit of a need: anything beyond it is a mistake in the figures. */
const replicaLimit = 1_000_000;

/** Rate that a replica carries: no more than the policy says, and no more than the agents measured. */
export const replicaQps = (policy: ScalingPolicy, { measuredReplicaQps }: ScalingObservation): number =>
  Math.min(policy.capacityPerReplicaQps, measuredReplicaQps ?? Number.POSITIVE_INFINITY);

/** Returns what the present rate needs; null when it is unknown or does not count. */
function needOfLoad(policy: ScalingPolicy, seen: ScalingObservation): Load {
  const { liveQps } = seen;
  if (!policy.load || liveQps === null || !Number.isFinite(liveQps) || liveQps < 0) return null;
  const { targetUtilization } = policy;
  const each = { capacityPerReplicaQps: replicaQps(policy, seen), targetUtilization };
  return { qps: liveQps, replicas: Math.min(agentsNeeded(liveQps, each), replicaLimit) };
}

/** Returns what is missing in the figures; null when they are complete. */
function gapIn(
  policy: ScalingPolicy,
  seen: ScalingObservation,
  load: Load,
  metricFailed: boolean,
  prediction: PredictionDecision | null,
): DataGap | null {
  if (seen.missingData.length > 0) return "silent-agents";
  if (policy.load && load === null) return "no-rate";
  if (metricFailed) return "failed-trigger";
  return prediction !== null && prediction.need === null ? "no-forecast" : null;
}

/**
 * Decides how many replicas a policy wants. In this order, each recorded: the higher of what the present load and the triggers need; no less
 * than the forecast needs; stabilisation and rates; the schedules' floor and ceiling; minimum and maximum; no capacity is removed while data
 * is missing; an operator's pause; nothing during warm-up and while frozen.
 */
export function decideScaling(policy: ScalingPolicy, seen: ScalingObservation): ScalingDecision {
  const { minReplicas, maxReplicas, idleReplicas, pause } = policy;
  const { currentReplicas } = seen;
  const load = needOfLoad(policy, seen);
  const triggers = policy.triggers.length === 0 ? null : decideTriggers(policy, seen);
  const schedules = decideSchedules(policy.schedules, seen.nowMs);
  const known = [load?.replicas ?? null, triggers?.proposed ?? null].filter((need) => need !== null);
  const reactiveNeed = known.length === 0 ? null : Math.max(0, ...known);
  const prediction =
    policy.prediction === undefined
      ? null
      : decidePrediction({
          policy: {
            ...policy.prediction,
            minReplicas: 0,
            maxReplicas,
            capacityPerReplicaQps: replicaQps(policy, seen),
            targetUtilization: policy.targetUtilization,
          },
          currentReplicas,
          reactiveNeed: reactiveNeed ?? 0,
          forecast: seen.forecast,
        });
  const predictiveNeed = prediction === null || prediction.need === null ? null : prediction.replicas;
  const needs = [reactiveNeed, predictiveNeed].filter((need) => need !== null);
  // Where nothing follows the demand the schedules decide, from the minimum.
  const followsDemand = policy.load || triggers !== null || prediction !== null;
  const wanted = needs.length > 0 ? Math.max(...needs) : followsDemand ? null : minReplicas;

  const limitedBy: LimitStep[] = [];
  const pass = (from: number, to: number, by: ScalingLimit) => {
    if (to !== from) limitedBy.push({ by, from, to });
    return to;
  };
  let replicas = wanted ?? currentReplicas;
  if (wanted !== null && followsDemand) {
    const { behavior } = policy;
    const limited = limitProposal(wanted, {
      policy: { minReplicas: 0, maxReplicas: replicaLimit, ...(behavior === undefined ? {} : { behavior }) },
      currentReplicas,
      history: seen.history,
    });
    replicas = pass(wanted, limited.replicas, (limited.limitedBy[0] ?? "stabilisation") as ScalingLimit);
  }
  const isIdle =
    triggers !== null && !triggers.active && idleReplicas !== undefined && idleReplicas === triggers.proposed;
  const minNow = isIdle ? Math.min(idleReplicas, minReplicas) : minReplicas;
  const within = (value: number) => Math.min(Math.max(value, minNow), maxReplicas);
  const floor = within(Math.max(schedules.floor ?? 0, minNow));
  const ceiling = within(schedules.ceiling ?? maxReplicas);
  replicas = pass(replicas, Math.max(replicas, schedules.floor ?? 0), "schedule-floor");
  replicas = pass(replicas, Math.min(replicas, schedules.ceiling ?? replicas), "schedule-ceiling");
  replicas = pass(replicas, Math.max(replicas, minNow), "minimum");
  replicas = pass(replicas, Math.min(replicas, maxReplicas), "maximum");

  const gap = gapIn(policy, seen, load, triggers?.metricFailed ?? false, prediction);
  const isFrozen = seen.frozen !== null;
  const isWarmingUp = seen.warmUpLeftS > 0;
  const heldBoth: ScalingHold | null = isFrozen
    ? "frozen"
    : isWarmingUp
      ? "warming-up"
      : pause?.kind === "hold"
        ? "paused"
        : null;
  // Above the maximum something must go, whatever is unknown.
  if (gap !== null && replicas < currentReplicas) {
    replicas = pass(replicas, Math.max(replicas, Math.min(currentReplicas, maxReplicas)), "missing-data");
  }
  if (pause?.kind === "at") replicas = pass(replicas, Math.min(pause.replicas ?? replicas, maxReplicas), "pause");
  if (pause?.kind === "hold") replicas = pass(replicas, currentReplicas, "pause");
  if (pause?.kind === "scale-in") replicas = pass(replicas, Math.max(replicas, currentReplicas), "pause");
  if (pause?.kind === "scale-out") replicas = pass(replicas, Math.min(replicas, currentReplicas), "pause");
  if (isWarmingUp) replicas = pass(replicas, currentReplicas, "warm-up");
  if (isFrozen) replicas = pass(replicas, currentReplicas, "freeze");

  const open = pause?.kind === "at" ? replicas : null;
  return {
    kind: replicas > currentReplicas ? "scale-out" : replicas < currentReplicas ? "scale-in" : "hold",
    policy: policy.name,
    acts: policy.mode === "act",
    replicas,
    floor: open ?? floor,
    ceiling: open ?? Math.max(floor, ceiling),
    reactiveNeed,
    predictiveNeed,
    wanted,
    followsDemand,
    scaleInHeld: heldBoth ?? (pause?.kind === "scale-in" ? "paused" : gap),
    scaleOutHeld: heldBoth ?? (pause?.kind === "scale-out" ? "paused" : null),
    gap,
    limitedBy,
    proposals: { load, triggers, prediction, schedules },
  };
}
