import { type AgentState, availabilityOf, ownRoleOf } from "#controller/fleet/agent-state.ts";
import type { Desired } from "#protocol/messages.ts";
import type { RolloutAgent } from "./decide-rollout.ts";

/** Reads from an agent's messages, and from what it was told, where it stands in a roll-out. */
export function observeAgent(
  state: AgentState,
  document: Pick<Desired, "update"> | undefined,
  version: string,
  nowMs: number,
  staleAfterMs: number,
): RolloutAgent {
  const { agentId, birth, reported } = state;
  const { online } = availabilityOf(state, nowMs, staleAfterMs);
  const ordered = document?.update?.version === version ? document.update.orderedAtMs : null;
  const report = reported?.update;
  return {
    ...{ agentId, region: birth?.region ?? "", online },
    serves: online && ownRoleOf(state) === "active",
    version: birth?.version ?? null,
    allows: report?.allowed ?? null,
    orderedAtMs: ordered,
    // A report of an earlier order says nothing of this one.
    failed: ordered !== null && report?.state === "failed" && report.wanted === version,
  };
}
