import type { ServingPeer } from "#agent/serving/ports.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import type { Presence } from "#protocol/messages.ts";

export interface Peers {
  /** Takes in a presence message; one that is older than what is known of that agent is ignored. */
  observe(presence: Presence): void;
  /** Its retained presence was taken away: the agent is no longer of the fleet. */
  forget(agentId: string): void;
  /** The broker says who is there anew on each connection; who is not named again soon is gone. */
  connectionChanged(connected: boolean): void;
  /** Other agents that are online, active and have an address that clients can reach, by id. */
  serving(): ServingPeer[];
}

export interface PeerLimits {
  /** Of agents that are online; beyond it those go that were silent longest. */
  readonly maxPeers: number;
  /** After a connection, until who was not named again counts as gone. */
  readonly confirmWithinMs: number;
}

export const peerLimits: PeerLimits = { maxPeers: 10_000, confirmWithinMs: 30_000 };

/** Host of an address; null where there is none. */
export function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null;
}

/**
 * What is known of the other agents of the fleet, from their retained presence.
 * @param parts.brokerUrl where the fleet meets: where that is another machine, a loopback address leads no client to a peer.
 * @param parts.realNowMs in real time, as connections are.
 */
export function createPeers(parts: {
  readonly ownAgentId: string;
  readonly brokerUrl: string;
  readonly realNowMs?: () => number;
  readonly limits?: PeerLimits;
}): Peers {
  const { ownAgentId, realNowMs = Date.now, limits = peerLimits } = parts;
  const onOneMachine = isLoopback(hostOf(parts.brokerUrl) ?? "");
  /** Online agents, longest silent first. */
  const online = new Map<string, { readonly presence: Presence; readonly connection: number }>();
  let connection = 0;
  let confirmByMs = Number.POSITIVE_INFINITY;

  const isReachable = (url: string): boolean => {
    const host = hostOf(url);
    return host !== null && host !== "" && (onOneMachine || !isLoopback(host));
  };
  const dropUnconfirmed = () => {
    if (realNowMs() < confirmByMs) return;
    for (const [agentId, known] of online) if (known.connection !== connection) online.delete(agentId);
    confirmByMs = Number.POSITIVE_INFINITY;
  };

  return {
    observe(presence) {
      const { agentId } = presence;
      if (agentId === ownAgentId) return;
      if (presence.status === "offline") {
        // The will of an old session may arrive after the new session's greeting.
        if (online.get(agentId)?.presence.bootId === presence.bootId) online.delete(agentId);
        return;
      }
      online.delete(agentId);
      online.set(agentId, { presence, connection });
      const [oldest] = online.keys();
      if (online.size > limits.maxPeers && oldest !== undefined) online.delete(oldest);
    },
    forget(agentId) {
      online.delete(agentId);
    },
    connectionChanged(connected) {
      if (connected) confirmByMs = realNowMs() + limits.confirmWithinMs;
      else {
        connection += 1;
        confirmByMs = Number.POSITIVE_INFINITY;
      }
    },
    serving() {
      dropUnconfirmed();
      return [...online.values()]
        .flatMap(({ presence: { agentId, url, role } }) =>
          role === "active" && isReachable(url) ? [{ agentId, url }] : [],
        )
        .sort((a, b) => a.agentId.localeCompare(b.agentId));
    },
  };
}
