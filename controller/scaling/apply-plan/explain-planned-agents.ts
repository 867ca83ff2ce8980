import type { PlanSummary, ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { countToText, durationToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import type { Carrying, PlannedCause, PlannedDecision, PlannedFleet } from "./decide-planned-agents.ts";

const peak = (values: readonly number[]) => Math.max(0, ...values.filter(Number.isFinite));

function explainTraffic(liveQps: number | null, { expectedQps, coverQps }: PlannedFleet): string {
  const now = liveQps === null ? "The present traffic is unknown" : `Traffic is ${qpsToText(liveQps)} texts/s`;
  return `${now}; up to ${qpsToText(peak(expectedQps))} is expected within ${expectedQps.length} min, and ${qpsToText(peak(coverQps))} is possible.`;
}

/** Gap above which a bound says nothing about the plan: the solver was stopped too early. */
const maxTellingGap = 0.1;

function explainPrice({ costUsd, gap }: PlanSummary, minutes: number): string {
  const price = `The plan costs ${costUsd.toPrecision(3)} US$ for ${minutes} min`;
  if (gap === null) return `${price}; it was found by search, and its distance from the lowest cost is unknown.`;
  if (gap < 0.0005) return `${price}, and none is cheaper.`;
  return gap > maxTellingGap
    ? `${price}; the solver ran out of time before ruling out a cheaper one.`
    : `${price}, at most ${(gap * 100).toFixed(1)} % more than the cheapest possible plan.`;
}

const movesToText = (moves: PlannedCause["moves"]) =>
  listToText(moves.map(({ agentId, from, to }) => `${agentId} from ${from ?? "its present mode"} to ${to}`));

/** Explains a decision by the plan in a few sentences: traffic, change, capacity and price. */
export function explainPlannedAgents(
  decision: PlannedDecision,
  inputs: ScalingInputs,
  fleet: PlannedFleet,
  config: ScalingConfig,
  nowMs: number,
  /** Explanation of the plan itself. */
  reasons: readonly string[],
): string {
  const { planned, plan } = decision;
  const { rule, moves, spare, neededQps, reachesMaximum } = planned;
  /** "2 devices carry 560 at 80 % load". */
  const carryingToText = ({ devices, carriedQps }: Carrying) =>
    `${countToText(devices, "device carries", "devices carry")} ${qpsToText(carriedQps)} at ${Math.round(config.targetUtilization * 100)} % load`;
  const now = carryingToText(planned.now);
  const after = carryingToText(planned.after);
  const also = moves.length === 0 ? "" : `, ${movesToText(moves)}`;
  const lately = `${qpsToText(neededQps)} was the most needed in the last ${durationToText(config.stabilizationMs / 1000)}`;
  const [broken] = reasons.filter((reason) => /^(demandQps|spareDevices|cover):/.test(reason));
  const missing = broken === undefined ? "" : ` Violated limits of the plan: ${broken}.`;
  const change = (): string => {
    switch (rule) {
      case "start": {
        const modeOf = new Map(
          decision.kind === "scale-out" ? decision.modes?.map((each) => [each.agentId, each.mode]) : [],
        );
        const starts = (decision.kind === "hold" ? [] : decision.activate).map((agentId) => {
          const mode = modeOf.get(agentId);
          return mode === undefined ? agentId : `${agentId} (${mode})`;
        });
        const limit = reachesMaximum ? `; no more, as the maximum is ${config.maxReplicas}` : "";
        const swap = spare.length === 0 ? "" : ` Then ${listToText(spare)} can stand by.`;
        return `${now} -> switch on ${listToText(starts)}, to serve in about ${durationToText(config.plan.startupS)}${also}${limit}.${swap}`;
      }
      case "stand-by": {
        const leaving = decision.kind === "hold" ? [] : decision.standBy;
        return `-> ${listToText(leaving)} to standby${also}: the other ${after}, and ${lately}.`;
      }
      case "lower-modes":
        return `-> ${movesToText(moves)}: ${after} that way, with less electricity.`;
      case "raise-modes":
        return `${now} -> ${movesToText(moves)}, to carry more.`;
      case "minimum":
        return `${now}; fewer would do, but at least ${decision.figures.activeCount} must serve.`;
      case "needed-lately":
        return `${now}; less would do for that, but ${lately}.`;
      case "missing-data":
        return `${now}; less would do, but there is no new data from ${listToText(inputs.missingData)}.`;
      case "slo-missed":
        return `${now}; less would do by the figures, but the SLO is being missed.`;
      case "held-off": {
        const left = durationToText(((inputs.heldUntilMs ?? nowMs) - nowMs) / 1000);
        return `${now}; less would do, but last time that missed the SLO: no capacity is removed for another ${left}.`;
      }
      case "not-watched": {
        const leftS = (inputs.observedSinceMs - (nowMs - config.stabilizationMs)) / 1000;
        return `${now}; less would do, but traffic has to be watched for another ${durationToText(leftS)}.`;
      }
      case "mode-dwell":
        return `${now}; a lower power mode would do, but modes are kept for at least ${durationToText(config.plan.modeDwellS)} and changed at most ${config.plan.mostSwitchesPerDay} times a day.`;
      case "maximum":
        return `${now}; the plan wants more, but the maximum of ${config.maxReplicas} is on.${missing}`;
      case "cheapest": {
        const help = (fleet.plan.steps[0]?.cloud.length ?? 0) > 0 ? " with cloud offers" : "";
        return `${now}, which${help} is the cheapest way to carry that.${missing}`;
      }
      default:
        return rule satisfies never;
    }
  };
  return `${explainTraffic(inputs.liveQps, fleet)} ${change()} ${explainPrice(plan, fleet.expectedQps.length)}`;
}
