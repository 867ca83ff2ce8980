import type { ActiveAgentsDecision, Explained } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";

/** A decision by the plan or by the plain rule; the plan's own figures are shown whichever it is. */
export function chooseDecision(
  plain: Explained<ActiveAgentsDecision>,
  planned: Explained<ActiveAgentsDecision> | null,
  missed: string | null,
): Explained<ActiveAgentsDecision> {
  // A plan that changes nothing is not "the cheapest way" while the SLO is being missed.
  if (planned !== null && (missed === null || planned.kind !== "hold")) return planned;
  const { plan, cloud } = planned ?? {};
  return { ...plain, ...(plan === undefined ? {} : { plan }), ...(cloud === undefined ? {} : { cloud }) };
}

/** Holds a decision back while an operator wants nothing to change. */
export function holdFrozen(decision: Explained<ActiveAgentsDecision>, frozen: string): Explained<ActiveAgentsDecision> {
  const wanted = decision.kind === "hold" ? "" : `; would otherwise: ${decision.reason}`;
  const reason = `frozen by an operator: ${frozen}${wanted}`;
  return { kind: "hold", rule: "frozen", figures: decision.figures, reason };
}

/** Puts the policy, which says how many, before the rest of the reason, which says which ones. */
export function withPolicyReason(
  decision: Explained<ActiveAgentsDecision>,
  scaling: Explained<ScalingDecision> | null,
): Explained<ActiveAgentsDecision> {
  return scaling?.acts
    ? { ...decision, reason: `policy ${scaling.policy}: ${scaling.reason}. So: ${decision.reason}` }
    : decision;
}
