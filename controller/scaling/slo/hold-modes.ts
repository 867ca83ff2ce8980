import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { ActiveAgentsDecision, Explained, ModeChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { listToText } from "#controller/scaling/figures-to-text.ts";
import { decideHeldModes, type TroubledAgent } from "./decide-held-modes.ts";
import type { SloResponse } from "./decide-slo-response.ts";

export interface HeldModesParts {
  readonly fleet: Pick<Fleet, "get">;
  readonly desired: Pick<DesiredDocuments, "documents" | "overrides">;
}

/** Returns the modes that agents in trouble are to hold from now on. */
export function heldModes(
  { rule, computing }: SloResponse,
  { fleet, desired }: HeldModesParts,
  nowMs: number,
): ModeChange[] {
  if (rule !== "refused" && rule !== "slow") return [];
  const troubled = computing.map((agentId): TroubledAgent => {
    const agent = fleet.get(agentId);
    const { powerMode = null, powerModeUntilMs = null } = desired.documents.get(agentId) ?? {};
    return {
      agentId,
      modes: agent?.birth?.board.powerModes.map(({ name }) => name) ?? [],
      held: (powerModeUntilMs ?? nowMs + 1) > nowMs ? powerMode : null,
      isFixed:
        desired.overrides.get(agentId)?.powerMode != null ||
        agent?.reported?.differs.some(({ field }) => field === "powerMode") === true,
    };
  });
  return decideHeldModes(troubled);
}

/** Adds modes to hold to a decision; a hold becomes a change of modes. */
export function withHeldModes(
  decision: Explained<ActiveAgentsDecision>,
  held: readonly ModeChange[],
): Explained<ActiveAgentsDecision> {
  if (held.length === 0) return decision;
  const holds = listToText(held.map(({ agentId, mode }) => `${agentId} holds ${mode}`));
  const reason = `${decision.reason}; ${holds} meanwhile`;
  if (decision.kind === "hold") {
    const { figures } = decision;
    return { kind: "change-modes", rule: "slo-missed", activate: [], standBy: [], modes: held, figures, reason };
  }
  const ids = new Set(held.map(({ agentId }) => agentId));
  const others = (decision.modes ?? []).filter(({ agentId }) => !ids.has(agentId));
  return { ...decision, modes: [...others, ...held], reason };
}
