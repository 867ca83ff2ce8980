import { count, qps } from "#controller/scaling/active-agents/describe-figures.ts";
import { limitWish } from "#controller/scaling/reference/hpa/limit-wish.ts";
import { decidePrediction, type PredictionDecision } from "./prediction/decide-prediction.ts";
import type { LimitStep, ScalingDecision, ScalingLimit } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import { decideSchedules } from "./schedules/decide-schedules.ts";
import { decideTriggers } from "./triggers/decide-triggers.ts";

type Load = ScalingDecision["proposals"]["load"];

/** What the present rate needs; null when it is not known or does not count. */
function needOfLoad(policy: ScalingPolicy, { liveQps }: ScalingObservation): Load {
  if (!policy.load || liveQps === null || !Number.isFinite(liveQps) || liveQps < 0) return null;
  const { capacityPerReplicaQps, targetUtilization } = policy;
  const replicas = Math.min(Math.ceil(liveQps / (capacityPerReplicaQps * targetUtilization)), 1_000_000);
  return { replicas, reason: `${qps(liveQps)} qps now need ${count(replicas, "replica")}` };
}

/** Why fewer would be a mistake; null when the picture is complete. */
function gapIn(
  policy: ScalingPolicy,
  seen: ScalingObservation,
  load: Load,
  metricFailed: boolean,
  prediction: PredictionDecision | null,
): string | null {
  if (seen.missingData.length > 0) return `nothing new is known of ${seen.missingData.join(", ")}`;
  if (policy.load && load === null) return "the present rate is not known";
  if (metricFailed) return "a trigger can't be read";
  if (prediction !== null && prediction.need === null) return prediction.reason;
  return null;
}

/**
 * How many replicas a policy wants. In this order, each recorded: the higher of what the present load and the triggers need; no less than
 * the forecast needs; stabilisation and rates; the schedules' floor and ceiling; minimum and maximum; nothing is taken away while data is
 * missing; an operator's pause; nothing during warm-up and while frozen.
 */
export function decideScaling(policy: ScalingPolicy, seen: ScalingObservation): ScalingDecision {
  const { minReplicas, maxReplicas, idleReplicas, pause } = policy;
  const { currentReplicas } = seen;
  const load = needOfLoad(policy, seen);
  const triggers = policy.triggers.length === 0 ? null : decideTriggers(policy, seen);
  const schedules = decideSchedules(policy.schedules, seen.nowMs);
  const known = [load?.replicas ?? null, triggers?.wish ?? null].filter((need) => need !== null);
  const reactiveNeed = known.length === 0 ? null : Math.max(0, ...known);
  const prediction =
    policy.prediction === undefined
      ? null
      : decidePrediction({
          policy: {
            ...policy.prediction,
            minReplicas: 0,
            maxReplicas,
            capacityPerReplicaQps: policy.capacityPerReplicaQps,
            targetUtilization: policy.targetUtilization,
          },
          currentReplicas,
          reactiveNeed: reactiveNeed ?? 0,
          forecast: seen.forecast,
        });
  const predicted = prediction === null || prediction.need === null ? null : prediction.replicas;
  const needs = [reactiveNeed, predicted].filter((need) => need !== null);
  // Where nothing follows the demand the schedules say it all: from the least that is allowed.
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
    const limited = limitWish(wanted, {
      policy: { minReplicas: 0, maxReplicas: 1_000_000, ...(behavior === undefined ? {} : { behavior }) },
      currentReplicas,
      history: seen.history,
    });
    replicas = pass(wanted, limited.replicas, (limited.limitedBy[0] ?? "stabilisation") as ScalingLimit);
  }
  const rests = triggers !== null && !triggers.active && triggers.wish !== null && idleReplicas === triggers.wish;
  const fewest = rests && idleReplicas !== undefined ? Math.min(idleReplicas, minReplicas) : minReplicas;
  const within = (value: number) => Math.min(Math.max(value, fewest), maxReplicas);
  const floor = within(Math.max(schedules.floor ?? 0, fewest));
  const ceiling = within(schedules.ceiling ?? maxReplicas);
  replicas = pass(replicas, Math.max(replicas, schedules.floor ?? 0), "schedule-floor");
  replicas = pass(replicas, Math.min(replicas, schedules.ceiling ?? replicas), "schedule-ceiling");
  replicas = pass(replicas, Math.max(replicas, fewest), "minimum");
  replicas = pass(replicas, Math.min(replicas, maxReplicas), "maximum");

  const gap = gapIn(policy, seen, load, triggers?.metricFailed ?? false, prediction);
  const frozen = seen.frozen === null ? null : `frozen: ${seen.frozen}`;
  const warming = seen.warmUpLeftS > 0 ? `listening to the fleet for another ${Math.ceil(seen.warmUpLeftS)} s` : null;
  const stays = pause?.kind === "hold" ? "paused" : null;
  const scaleInHeld = frozen ?? warming ?? stays ?? (pause?.kind === "scale-in" ? "scale-in is paused" : null) ?? gap;
  const scaleOutHeld = frozen ?? warming ?? stays ?? (pause?.kind === "scale-out" ? "scale-out is paused" : null);
  // Above the maximum something must go, whatever is not known.
  if (gap !== null && replicas < currentReplicas) {
    replicas = pass(replicas, Math.max(replicas, Math.min(currentReplicas, maxReplicas)), "missing-data");
  }
  if (pause?.kind === "at") replicas = pass(replicas, Math.min(pause.replicas ?? replicas, maxReplicas), "pause");
  if (stays !== null) replicas = pass(replicas, currentReplicas, "pause");
  if (pause?.kind === "scale-in") replicas = pass(replicas, Math.max(replicas, currentReplicas), "pause");
  if (pause?.kind === "scale-out") replicas = pass(replicas, Math.min(replicas, currentReplicas), "pause");
  if (warming !== null) replicas = pass(replicas, currentReplicas, "warm-up");
  if (frozen !== null) replicas = pass(replicas, currentReplicas, "freeze");

  const kind = replicas > currentReplicas ? "scale-out" : replicas < currentReplicas ? "scale-in" : "hold";
  const said = [
    load?.reason ?? "",
    triggers === null ? "" : `triggers: ${triggers.reason}`,
    prediction === null ? "" : `forecast: ${prediction.reason}`,
    schedules.open.length === 0 ? "" : `schedules: ${schedules.reason}`,
    needs.length === 0 && followsDemand ? "nothing is known of the demand" : "",
    ...limitedBy.map(({ by, from, to }) => `${by}: ${from} -> ${to}`),
    frozen ?? warming ?? stays ?? (limitedBy.some(({ by }) => by === "missing-data") ? gap : null) ?? "",
  ].filter((text) => text !== "");
  const change = kind === "hold" ? `stays at ${currentReplicas}` : `${currentReplicas} -> ${replicas}`;
  const open = pause?.kind === "at" ? replicas : null;
  return {
    kind,
    policy: policy.name,
    acts: policy.mode === "act",
    replicas,
    floor: open ?? floor,
    ceiling: open ?? Math.max(floor, ceiling),
    reactiveNeed,
    predictiveNeed: predicted,
    wanted,
    scaleInHeld,
    scaleOutHeld,
    limitedBy,
    proposals: { load, triggers, prediction, schedules },
    reason: `${said.join("; ")}; ${change}`,
  };
}
