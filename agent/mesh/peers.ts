import type { ServingPeer } from "#agent/serving/ports.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import type { Presence } from "#protocol/messages.ts";
import type { MeshPeer } from "./routing/remote.ts";

export type Peers = ReturnType<typeof createPeers>;

const peerLimits = {
  /** Limit of online agents; beyond it the one silent for longest is dropped. */
  maxPeers: 10_000,
  /** Time after a connection in which a peer must be confirmed. */
  confirmWithinMs: 30_000,
};

/** Returns the host of an address; null where it has none. */
export function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null;
}

/**
 * Keeps the other agents of the fleet, from their retained presence.
 * @param parts.brokerUrl address of the broker: where it is another machine, clients can't reach a peer at a loopback address
 * @param parts.realNowMs real time, as connections are
 */
export function createPeers(parts: {
  readonly ownAgentId: string;
  readonly brokerUrl: string;
  /** Real texts per second for one of the agents' clocks. Default: 1. */
  readonly speed?: number;
  /** Returns true for an address that requests may be sent to. Default: any. */
  readonly mayCall?: (url: string) => boolean;
  readonly realNowMs?: () => number;
  readonly limits?: typeof peerLimits;
}) {
  const { ownAgentId, realNowMs = Date.now, limits = peerLimits, speed = 1, mayCall = () => true } = parts;
  const onOneMachine = isLoopback(hostOf(parts.brokerUrl) ?? "");
  /** Online agents, the one silent for longest first. */
  const online = new Map<string, { readonly presence: Presence; readonly connection: number }>();
  /** Of `online`; null when that has changed since. */
  let backends: readonly MeshPeer[] | null = null;
  let connection = 0;
  let confirmByMs = Number.POSITIVE_INFINITY;

  const isReachable = (url: string): boolean => {
    const host = hostOf(url);
    return host !== null && host !== "" && (onOneMachine || !isLoopback(host));
  };
  const dropUnconfirmed = () => {
    if (realNowMs() < confirmByMs) return;
    for (const [agentId, known] of online) if (known.connection !== connection) online.delete(agentId);
    backends = null;
    confirmByMs = Number.POSITIVE_INFINITY;
  };

  return {
    /** Takes in a presence message; the offline message of an older session is ignored. */
    observe(presence: Presence) {
      const { agentId } = presence;
      if (agentId === ownAgentId) return;
      backends = null;
      if (presence.status === "offline") {
        // The will of an old session may arrive after the new session's presence.
        if (online.get(agentId)?.presence.bootId === presence.bootId) online.delete(agentId);
        return;
      }
      online.delete(agentId);
      online.set(agentId, { presence, connection });
      const [oldest] = online.keys();
      if (online.size > limits.maxPeers && oldest !== undefined) online.delete(oldest);
    },
    forget(agentId: string) {
      online.delete(agentId);
      backends = null;
    },
    /** Starts anew to learn who is online: on each connection the broker resends retained presences; peers missing after 30 s are dropped. */
    connectionChanged(connected: boolean) {
      if (connected) confirmByMs = realNowMs() + limits.confirmWithinMs;
      else {
        backends = null;
        connection += 1;
        confirmByMs = Number.POSITIVE_INFINITY;
      }
    },
    /** Returns the active agents that take other agents' requests: the same list until one changes. */
    backends(): readonly MeshPeer[] {
      dropUnconfirmed();
      backends ??= [...online.values()].flatMap(({ presence, connection: heard }) =>
        presence.role === "active" && isReachable(presence.url) && mayCall(presence.url)
          ? (toBackend(presence, heard !== connection, speed) ?? [])
          : [],
      );
      return backends;
    },
    /** Returns other agents that are online, active and have an address that clients can reach, by id. */
    serving(): ServingPeer[] {
      dropUnconfirmed();
      return [...online.values()]
        .flatMap(({ presence: { agentId, url, role } }) =>
          role === "active" && isReachable(url) ? [{ agentId, url }] : [],
        )
        .sort((a, b) => a.agentId.localeCompare(b.agentId));
    },
  };
}

/** Describes an agent as a backend; null for one that takes no requests of others. */
function toBackend(presence: Presence, silent: boolean, speed: number): MeshPeer | null {
  const { agentId, bootId, url, region, mesh } = presence;
  if (mesh === undefined) return null;
  const { spaces, qps, usdPerRequest } = mesh;
  return { agentId, bootId, url, region, spaces, qps: qps === null ? null : qps * speed, usdPerRequest, silent };
}
