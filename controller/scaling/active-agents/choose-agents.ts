import type { AgentCandidate } from "./scaling-inputs.ts";

/** What agents carry together; one whose capacity is no number adds nothing. */
export function sumCapacityQps(agents: readonly AgentCandidate[]): number {
  return agents.reduce((sum, { capacityQps }) => sum + (Number.isFinite(capacityQps) ? capacityQps : 0), 0);
}

/** Cheapest electricity for a request first; who doesn't say comes last; then the larger board; then by id, so that it is always the same. */
function byEfficiency(a: AgentCandidate, b: AgentCandidate): number {
  const costA = a.energyUsdPerRequest ?? Number.POSITIVE_INFINITY;
  const costB = b.energyUsdPerRequest ?? Number.POSITIVE_INFINITY;
  if (costA !== costB) return costA < costB ? -1 : 1;
  return b.capacityQps - a.capacityQps || a.agentId.localeCompare(b.agentId);
}

/** The agents to switch on beside `kept`, cheapest first, until count and capacity suffice or `mostCount` is reached. */
export function chooseActivations(
  kept: readonly AgentCandidate[],
  idle: readonly AgentCandidate[],
  target: { readonly wantedCount: number; readonly wantedQps: number; readonly mostCount: number },
): AgentCandidate[] {
  const chosen: AgentCandidate[] = [];
  for (const agent of idle.toSorted(byEfficiency)) {
    const size = kept.length + chosen.length;
    const enough = size >= target.wantedCount && sumCapacityQps([...kept, ...chosen]) >= target.wantedQps;
    if (enough || size >= target.mostCount) break;
    chosen.push(agent);
  }
  return chosen;
}

/** The agents to put on standby, dearest first, as long as the rest suffices. Overridden ones stay. */
export function chooseStandBy(
  active: readonly AgentCandidate[],
  target: { readonly fewestCount: number; readonly wantedQps: number },
): AgentCandidate[] {
  let rest = [...active];
  const leaving: AgentCandidate[] = [];
  for (const agent of active.toSorted(byEfficiency).reverse()) {
    if (rest.length <= target.fewestCount) break;
    const without = rest.filter((other) => other !== agent);
    if (agent.overrideRole !== null || sumCapacityQps(without) < target.wantedQps) continue;
    rest = without;
    leaving.push(agent);
  }
  return leaving;
}

/** The agent with what spoke for choosing it among `others`. */
export function describeChoice(agent: AgentCandidate, others: readonly AgentCandidate[]): string {
  const { agentId, wattsPerQps, energyUsdPerRequest } = agent;
  if (wattsPerQps === null || energyUsdPerRequest === null) return `${agentId} (its electricity is not known)`;
  const figure = `${Number(wattsPerQps.toPrecision(2))} J a text`;
  const rivals = others.filter((other) => other !== agent && other.energyUsdPerRequest !== null);
  if (rivals.every((other) => other.energyUsdPerRequest === energyUsdPerRequest)) return `${agentId} (${figure})`;
  if (rivals.every((other) => energyUsdPerRequest <= (other.energyUsdPerRequest ?? 0))) {
    return `${agentId} (the least electricity: ${figure})`;
  }
  if (rivals.every((other) => energyUsdPerRequest >= (other.energyUsdPerRequest ?? 0))) {
    return `${agentId} (the most electricity: ${figure})`;
  }
  return `${agentId} (${figure})`;
}
