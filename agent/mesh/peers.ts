import type { ServingPeer } from "#agent/serving/ports.ts";
import type { Presence } from "#protocol/messages.ts";

export interface Peers {
  /** Takes in a presence message; one that is older than what is known of that agent is ignored. */
  observe(presence: Presence): void;
  /** Other agents that are online and active, by id. */
  serving(): ServingPeer[];
}

/** What is known of the other agents of the fleet, from their retained presence. */
export function createPeers(ownAgentId: string): Peers {
  const latest = new Map<string, Presence>();
  return {
    observe(presence) {
      if (presence.agentId === ownAgentId) return;
      const known = latest.get(presence.agentId);
      // The will of an old session may arrive after the new session's greeting.
      const lateWill = presence.status === "offline" && known?.status === "online" && known.bootId !== presence.bootId;
      if (!lateWill) latest.set(presence.agentId, presence);
    },
    serving: () =>
      [...latest.values()]
        .filter((peer) => peer.status === "online" && peer.role === "active")
        .map(({ agentId, url }) => ({ agentId, url }))
        .sort((a, b) => a.agentId.localeCompare(b.agentId)),
  };
}
