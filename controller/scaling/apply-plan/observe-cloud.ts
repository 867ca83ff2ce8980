import type { Fleet } from "#controller/fleet/fleet.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CloudOfferConfig } from "./cloud-config.ts";
import type { CloudUnit } from "./decide-cloud-units.ts";

/** Lists the candidates that are units of cloud offers, in the offers' order. */
export function observeCloudUnits(
  offers: readonly CloudOfferConfig[],
  candidates: readonly AgentCandidate[],
  fleet: Pick<Fleet, "get">,
): CloudUnit[] {
  const byId = new Map(candidates.map((candidate) => [candidate.agentId, candidate]));
  return offers.flatMap(({ id: offerId, agents }) =>
    agents.flatMap((agentId): CloudUnit[] => {
      const candidate = byId.get(agentId);
      if (candidate === undefined) return [];
      const { active, unavailable, overrideRole } = candidate;
      const available = unavailable === null && (overrideRole === null || overrideRole === "active");
      const presence = fleet.get(agentId)?.presence;
      const serves = active && available && presence?.status === "online" && presence.role === "active";
      return [{ agentId, offerId, available, active, serves, roleIsHeld: overrideRole !== null }];
    }),
  );
}

/** Lists the fleet's own devices: candidates that are not units of an offer. */
export function ownDevices(
  offers: readonly CloudOfferConfig[],
  candidates: readonly AgentCandidate[],
): readonly AgentCandidate[] {
  const rented = new Set(offers.flatMap(({ agents }) => agents));
  return candidates.filter(({ agentId }) => !rented.has(agentId));
}
