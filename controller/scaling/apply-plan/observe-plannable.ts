import { type Prices, pricesOf } from "#controller/cost/price-minute.ts";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { Override } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import type { PlannedAgent } from "./decide-planned-agents.ts";
import type { PlannableAgent } from "./to-plan-input.ts";

export interface ObservedForPlan {
  readonly plannable: PlannableAgent;
  readonly planned: PlannedAgent;
}

/** Mode that the plan takes an agent to be in: the one it was told to hold while it has not answered that yet, else the one it reports. */
function presentMode({ reported, recent }: AgentState, desired: Desired | undefined, nowMs: number): string | null {
  const holds = desired?.powerMode != null && (desired.powerModeUntilMs ?? nowMs + 1) > nowMs;
  if (holds && reported?.desiredVersion !== desired.version) return desired.powerMode;
  return reported?.powerMode ?? recent.at(-1)?.power?.modeName ?? (holds ? desired.powerMode : null);
}

/**
 * Returns one agent as the fleet plan sees it, from what it has reported and what it was told.
 * @param sinceMs time since which it has been meant to serve, or to stand by.
 */
export function observePlannable(
  agent: AgentState,
  candidate: AgentCandidate,
  desired: Desired | undefined,
  override: Override | undefined,
  prices: Prices,
  sinceMs: number,
  nowMs: number,
): ObservedForPlan {
  const { agentId, overrideRole, capacityQps: countedQps } = candidate;
  const stateForS = (nowMs - sinceMs) / 1000;
  const serves = agent.presence?.role === "active";
  const takesPart = candidate.unavailable === null && (overrideRole === null || overrideRole === "active");
  const mode = presentMode(agent, desired, nowMs);
  const profiles = agent.birth?.board.powerModes ?? [];
  const topQps = profiles[0]?.capacityQps ?? null;
  // What is counted on in one mode holds for the others in proportion.
  const factor = topQps === null || topQps <= 0 ? 1 : countedQps / topQps;
  const all = profiles.map((each) => ({
    ...each,
    capacityQps: each.capacityQps === null ? null : each.capacityQps * factor,
  }));
  const held = override?.powerMode ?? null;
  const refuses = agent.reported?.differs.some(({ field }) => field === "powerMode") === true;
  const inUse = refuses ? all.find(({ name }) => name === agent.reported?.powerMode) : undefined;
  const maxQps = inUse?.capacityQps ?? Number.POSITIVE_INFINITY;
  // A mode that heat or the board forbids can't be chosen, nor can any other while an operator holds one.
  const open = all.filter(({ name, capacityQps }) =>
    held === null ? capacityQps === null || capacityQps <= maxQps : name === held,
  );
  const modes = open.length > 0 ? open : all;
  const capacityByMode = new Map(all.map(({ name, capacityQps }) => [name, capacityQps ?? countedQps]));
  if (capacityByMode.size === 0) capacityByMode.set("", countedQps);
  return {
    plannable: {
      agentId,
      board: agent.birth?.board.name ?? "unknown",
      state: !takesPart ? "offline" : !candidate.active ? "standby" : serves ? "active" : "starting",
      stateForS,
      mode,
      modes,
      prices: pricesOf(agent.birth, prices),
      staysActive: overrideRole === "active",
    },
    planned: {
      agentId,
      available: takesPart,
      active: candidate.active,
      serves,
      mode,
      capacityByMode,
      roleIsHeld: overrideRole !== null,
      modeIsHeld: held !== null,
      mayLower: true,
    },
  };
}
