import type { ActiveAgentsDecision } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CloudDecision } from "./decide-cloud-units.ts";

/** Whether cloud units may go in the same minute: not while devices come or go, so that one thing changes at a time. */
export const leavesRoomToShrink = ({ kind }: ActiveAgentsDecision): boolean =>
  kind === "hold" || kind === "change-modes";

/** The devices' decision and the cloud's as one. Units come at once; then no device leaves in the same minute. */
export function withCloud(decision: ActiveAgentsDecision, cloud: CloudDecision): ActiveAgentsDecision {
  const reason = cloud.reason === "" ? decision.reason : `${decision.reason} ${cloud.reason}`;
  const basis = { figures: decision.figures, reason, cloud: cloud.wishes };
  const plan = decision.plan === undefined ? {} : { plan: decision.plan };
  const modes = decision.kind === "hold" || decision.modes === undefined ? {} : { modes: decision.modes };
  if (cloud.activate.length > 0) {
    const first = decision.kind === "scale-out" ? decision.activate : [];
    return {
      ...{ ...basis, ...plan, ...modes },
      kind: "scale-out",
      rule: decision.kind === "scale-out" ? decision.rule : "plan",
      activate: [...first, ...cloud.activate],
      standBy: decision.kind === "scale-out" ? decision.standBy : [],
    };
  }
  if (cloud.standBy.length > 0 && leavesRoomToShrink(decision)) {
    return {
      ...{ ...basis, ...plan, ...modes },
      kind: "scale-in",
      rule: "plan",
      activate: [],
      standBy: cloud.standBy,
    };
  }
  return { ...decision, ...basis };
}
