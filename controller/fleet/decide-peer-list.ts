import { type PeerList, peerListLimits } from "#protocol/messages.ts";

export interface ListedAgent {
  readonly agentId: string;
  readonly serves: boolean;
  /** It sleeps, and its document says that it is to serve. */
  readonly isToWake: boolean;
}

export type PeerListContent = Pick<PeerList, "all" | "serving" | "wake">;

/**
 * Decides which agents the others follow. A small fleet follows itself as a whole; of a large one those that serve are listed, and who is on the
 * list stays there while it serves: each change goes to every agent.
 */
export function decidePeerList(agents: readonly ListedAgent[], before: readonly string[]): PeerListContent {
  if (agents.length <= peerListLimits.allUpTo) return { all: true, serving: [], wake: [] };
  const serving = new Set(agents.flatMap(({ agentId, serves }) => (serves ? [agentId] : [])));
  const kept = before.filter((agentId) => serving.delete(agentId));
  const wake = agents.flatMap(({ agentId, isToWake }) => (isToWake ? [agentId] : []));
  return {
    all: false,
    serving: [...kept, ...serving].slice(0, peerListLimits.maxServing),
    wake: wake.slice(0, peerListLimits.maxWake),
  };
}
