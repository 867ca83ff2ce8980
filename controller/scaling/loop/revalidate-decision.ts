import type { AgentCandidate, FleetChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";

/**
 * Checks a decision again with the fleet as it is now, just before acting: agents may have gone and operators may have spoken while it was
 * made. Returns what is still to be done, and what is skipped and why. The last agent that serves stays, unless a policy allows none.
 */
export function revalidateDecision(
  decision: FleetChange,
  candidates: readonly AgentCandidate[],
  mayBeNone = false,
): DecisionOutcome {
  const now = new Map(candidates.map((agent) => [agent.agentId, agent]));
  const skipped: { agentId: string; reason: string }[] = [];
  const skip = (agentId: string, reason: string) => {
    skipped.push({ agentId, reason });
    return false;
  };
  const activated = decision.activate.filter((agentId) => {
    const agent = now.get(agentId);
    if (agent === undefined) return skip(agentId, "is gone");
    if (agent.unavailable !== null) return skip(agentId, agent.unavailable);
    if (agent.overrideRole !== null && agent.overrideRole !== "active") {
      return skip(agentId, `an operator wants it ${agent.overrideRole}`);
    }
    return true;
  });
  const areActivated = new Set(activated);
  const othersServe = (leaving: ReadonlySet<string>) =>
    candidates.some(
      (agent) =>
        !leaving.has(agent.agentId) && agent.unavailable === null && (agent.active || areActivated.has(agent.agentId)),
    );
  const serving = candidates.filter(({ active, unavailable }) => active && unavailable === null).length;
  const hasShrunk = decision.kind === "scale-in" && serving < decision.figures.activeCount;
  const leaving = new Set<string>();
  const stoodBy = decision.standBy.filter((agentId) => {
    const agent = now.get(agentId);
    if (agent?.overrideRole === "active") return skip(agentId, "an operator wants it active");
    const byOperator = agent !== undefined && agent.overrideRole !== null;
    if (hasShrunk && !byOperator) return skip(agentId, "fewer agents serve than when this was decided");
    const isBack = decision.kind === "scale-out" && agent?.unavailable === null;
    if (isBack && !byOperator) return skip(agentId, "is back");
    if (!byOperator && !mayBeNone && !othersServe(new Set([...leaving, agentId])))
      return skip(agentId, "no other agent would serve");
    leaving.add(agentId);
    return true;
  });
  return { activated, stoodBy, skipped };
}
