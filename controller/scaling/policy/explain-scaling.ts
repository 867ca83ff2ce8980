import { countToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import { replicaQps } from "./decide-scaling.ts";
import { explainPrediction } from "./prediction/explain-prediction.ts";
import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import { explainSchedules } from "./schedules/explain-schedules.ts";
import { explainTriggers } from "./triggers/explain-triggers.ts";

/** Explains what keeps a decision from following the demand; null when nothing does. */
function explainHeld(
  decision: ScalingDecision,
  policy: ScalingPolicy,
  seen: ScalingObservation,
  prediction: string | null,
): string | null {
  if (seen.frozen !== null) return `frozen: ${seen.frozen}`;
  if (seen.warmUpLeftS > 0) return `observing the fleet for another ${Math.ceil(seen.warmUpLeftS)} s`;
  if (policy.pause?.kind === "hold") return "paused";
  if (decision.gap === null || !decision.limitedBy.some(({ by }) => by === "missing-data")) return null;
  return {
    "silent-agents": `no new data from ${seen.missingData.join(", ")}`,
    "no-rate": "the present rate is not known",
    "failed-trigger": "a trigger can't be read",
    "no-forecast": prediction,
  }[decision.gap];
}

/** Explains a policy's decision in a sentence: what each rule asked for, what limited it, and the change. */
export function explainScaling(decision: ScalingDecision, policy: ScalingPolicy, seen: ScalingObservation): string {
  const { kind, replicas, wanted, followsDemand, limitedBy, proposals } = decision;
  const { load, triggers, schedules } = proposals;
  const { currentReplicas } = seen;
  const prediction =
    proposals.prediction === null || policy.prediction === undefined
      ? null
      : explainPrediction(proposals.prediction, policy.prediction, seen.forecast);
  const carried = replicaQps(policy, seen);
  const measured =
    carried < policy.capacityPerReplicaQps
      ? ` of ${qpsToText(carried)} (measured; the policy says ${qpsToText(policy.capacityPerReplicaQps)})`
      : "";
  const said = [
    load === null ? null : `${qpsToText(load.qps)} qps now need ${countToText(load.replicas, "replica")}${measured}`,
    triggers === null ? null : `triggers: ${explainTriggers(triggers, policy, seen)}`,
    prediction === null ? null : `forecast: ${prediction}`,
    schedules.open.length === 0 ? null : `schedules: ${explainSchedules(schedules, policy.schedules)}`,
    wanted === null && followsDemand ? "the demand is unknown" : null,
    ...limitedBy.map(({ by, from, to }) => `${by}: ${from} -> ${to}`),
    explainHeld(decision, policy, seen, prediction),
    kind === "hold" ? `stays at ${currentReplicas}` : `${currentReplicas} -> ${replicas}`,
  ];
  return said.filter((text) => text !== null).join("; ");
}
