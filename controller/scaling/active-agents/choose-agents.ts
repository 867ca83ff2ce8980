import type { AgentCandidate } from "./scaling-inputs.ts";

/** Agents that can serve and that no operator keeps from it. */
export function availableOf(candidates: readonly AgentCandidate[]): AgentCandidate[] {
  return candidates.filter(
    ({ unavailable, overrideRole }) => unavailable === null && (overrideRole === null || overrideRole === "active"),
  );
}

/** Capacity of agents together; one whose capacity is not a finite number adds nothing. */
export function sumCapacityQps(agents: readonly AgentCandidate[]): number {
  return agents.reduce((sum, { capacityQps }) => sum + (Number.isFinite(capacityQps) ? capacityQps : 0), 0);
}

/**
 * Sorts by electricity per request, cheapest first and unknown last; then the larger board first; then by id, so that the order is always
 * the same.
 */
function byEfficiency(a: AgentCandidate, b: AgentCandidate): number {
  const costA = a.energyUsdPerRequest ?? Number.POSITIVE_INFINITY;
  const costB = b.energyUsdPerRequest ?? Number.POSITIVE_INFINITY;
  if (costA !== costB) return costA - costB;
  return b.capacityQps - a.capacityQps || a.agentId.localeCompare(b.agentId);
}

/** Chooses agents to switch on beside `kept`, cheapest first, until count and capacity suffice or `maxCount` agents serve. */
export function chooseActivations(
  kept: readonly AgentCandidate[],
  idle: readonly AgentCandidate[],
  target: { readonly wantedCount: number; readonly wantedQps: number; readonly maxCount: number },
): AgentCandidate[] {
  const chosen: AgentCandidate[] = [];
  for (const agent of idle.toSorted(byEfficiency)) {
    const size = kept.length + chosen.length;
    const enough = size >= target.wantedCount && sumCapacityQps([...kept, ...chosen]) >= target.wantedQps;
    if (enough || size >= target.maxCount) break;
    chosen.push(agent);
  }
  return chosen;
}

/** Chooses agents to put on standby, dearest first, as long as the rest suffices. Overridden ones stay. */
export function chooseStandBy(
  active: readonly AgentCandidate[],
  target: { readonly minCount: number; readonly wantedQps: number },
): AgentCandidate[] {
  let rest = [...active];
  const leaving: AgentCandidate[] = [];
  for (const agent of active.toSorted(byEfficiency).reverse()) {
    if (rest.length <= target.minCount) break;
    const without = rest.filter((other) => other !== agent);
    if (agent.overrideRole !== null || sumCapacityQps(without) < target.wantedQps) continue;
    rest = without;
    leaving.push(agent);
  }
  return leaving;
}
