import type { ActiveAgentsDecision } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CloudDecision } from "./decide-cloud-units.ts";

/** True when cloud units may go in the same minute: not while devices come or go, so that one thing changes at a time. */
export const mayCloudShrink = ({ kind }: ActiveAgentsDecision): boolean => kind === "hold" || kind === "change-modes";

/** Joins the devices' decision and the cloud's. Units come at once; then no device leaves in the same minute. */
export function withCloud(decision: ActiveAgentsDecision, cloud: CloudDecision): ActiveAgentsDecision {
  const { figures, plan } = decision;
  const modes = decision.kind === "hold" || decision.modes === undefined ? {} : { modes: decision.modes };
  const basis = { figures, cloud: cloud.targets, ...(plan === undefined ? {} : { plan }), ...modes };
  if (cloud.activate.length > 0) {
    const isScaleOut = decision.kind === "scale-out";
    return {
      ...basis,
      kind: "scale-out",
      rule: isScaleOut ? decision.rule : "plan",
      activate: [...(isScaleOut ? decision.activate : []), ...cloud.activate],
      standBy: isScaleOut ? decision.standBy : [],
    };
  }
  if (cloud.standBy.length > 0 && mayCloudShrink(decision)) {
    return { ...basis, kind: "scale-in", rule: "plan", activate: [], standBy: cloud.standBy };
  }
  return { ...decision, cloud: cloud.targets };
}
