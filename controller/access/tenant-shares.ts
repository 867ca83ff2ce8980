import type { MinuteData } from "#protocol/messages.ts";
import { accessLimits, defaultTenant, maxListed } from "#protocol/messages.ts";

/** Part of a limit that is divided evenly, so that an agent without demand so far can begin. */
const evenPart = 0.2;
/** Weight of the newest minute in an agent's demand. */
const newestWeight = 0.5;
/** Demand, in texts per minute, that counts as none. */
const noDemand = 0.01;
/** Shares are published again when one has changed by more than this. */
const tellAbove = 0.05;
const roundTo = 10_000;

/** Parts of a tenant's limits that agents may use. They add up to one at most. */
export interface LimitShares {
  readonly shares: readonly { readonly agentId: string; readonly share: number }[];
  /** Part of each agent that is not listed. */
  readonly otherShare: number;
}

const floored = (share: number) => Math.floor(share * roundTo) / roundTo;

/**
 * Divides a tenant's limits among agents: most of it by their demand, the rest evenly.
 * @param demand texts per minute by agent
 * @param agents number of agents that serve
 * @param listed max number of agents with a part of their own
 */
export function shareLimits(
  demand: ReadonlyMap<string, number>,
  agents: number,
  listed: number = accessLimits.maxShares,
): LimitShares {
  const busiest = [...demand]
    .filter(([, texts]) => texts > noDemand)
    .sort(([idA, a], [idB, b]) => b - a || (idA < idB ? -1 : 1))
    .slice(0, listed);
  const total = busiest.reduce((sum, [, texts]) => sum + texts, 0);
  const count = Math.max(1, agents, busiest.length);
  if (total === 0) return { shares: [], otherShare: floored(1 / count) };
  const even = evenPart / count;
  const shares = busiest.map(([agentId, texts]) => ({
    agentId,
    share: floored((1 - evenPart) * (texts / total) + even),
  }));
  return { shares, otherShare: floored(even) };
}

const differs = (one: LimitShares, other: LimitShares) => {
  const of = ({ shares, otherShare }: LimitShares, id: string) =>
    shares.find(({ agentId }) => agentId === id)?.share ?? otherShare;
  const ids = [...one.shares, ...other.shares].map(({ agentId }) => agentId);
  return (
    Math.abs(one.otherShare - other.otherShare) > tellAbove * other.otherShare ||
    ids.some((id) => Math.abs(of(one, id) - of(other, id)) > tellAbove)
  );
};

/** Demand of tenants at each agent, from their minutes, and the shares of limits that follow from it. */
export class TenantShares {
  readonly #demand = new Map<string, Map<string, number>>();
  readonly #told = new Map<string, LimitShares>();
  readonly #agents: () => number;

  /** @param agents number of agents that serve */
  constructor(agents: () => number) {
    this.#agents = agents;
  }

  /** Counts a live minute of an agent: answered and refused texts of each tenant but the default one. */
  add({ agentId, historical, traffic }: Pick<MinuteData, "agentId" | "historical" | "traffic">): void {
    if (historical) return;
    const texts = new Map<string, number>();
    for (const tenant of traffic.models.flatMap(({ tenants = [] }) => tenants)) {
      const refused = (tenant.refused ?? []).reduce((sum, each) => sum + each.texts, 0);
      if (tenant.tenant !== defaultTenant)
        texts.set(tenant.tenant, (texts.get(tenant.tenant) ?? 0) + tenant.texts + refused);
    }
    for (const tenant of texts.keys()) if (!this.#demand.has(tenant)) this.#demand.set(tenant, new Map());
    for (const [tenant, agents] of this.#demand) {
      const before = agents.get(agentId);
      const after =
        (before ?? 0) * (1 - newestWeight) + (texts.get(tenant) ?? 0) * (before === undefined ? 1 : newestWeight);
      if (after > noDemand) agents.set(agentId, after);
      else agents.delete(agentId);
      if (agents.size === 0) this.#demand.delete(tenant);
    }
  }

  /** Forgets an agent that is offline: its share is for the others. */
  forget(agentId: string): void {
    for (const agents of this.#demand.values()) agents.delete(agentId);
  }

  /** Forgets a tenant that is erased. */
  forgetTenant(tenant: string): void {
    this.#demand.delete(tenant);
    this.#told.delete(tenant);
  }

  /** Shares of a tenant's limits; those told last while they are about right. */
  of(tenant: string): LimitShares {
    const listed = Math.floor(maxListed.shares / Math.max(1, this.#demand.size));
    const most = Math.min(accessLimits.maxShares, Math.max(1, listed));
    const now = shareLimits(this.#demand.get(tenant) ?? new Map(), this.#agents(), most);
    const told = this.#told.get(tenant);
    if (told !== undefined && !differs(now, told)) return told;
    if (this.#told.size > accessLimits.maxTenants) this.#told.clear();
    this.#told.set(tenant, now);
    return now;
  }
}
