import type { Broker } from "#protocol/broker.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { type Desired, PeerList } from "#protocol/messages.ts";
import { controllerPeersTopic } from "#protocol/topics.ts";
import { availabilityOf, ownRoleOf } from "./agent-state.ts";
import { decidePeerList } from "./decide-peer-list.ts";
import type { Fleet } from "./fleet.ts";

/** Publishes which agents the others follow, when that has changed. */
export function createPeerList(parts: {
  readonly fleetName: string;
  readonly fleet: Pick<Fleet, "agents">;
  readonly documents: ReadonlyMap<string, Desired>;
  readonly broker: Pick<Broker, "publish" | "connected">;
  readonly staleAfterMs: number;
  readonly nowMs: () => number;
}) {
  const { fleetName, fleet, documents, broker, staleAfterMs, nowMs } = parts;
  let serving: readonly string[] = [];
  let published = "";
  return {
    /** @param again true: even if nothing has changed, as the broker may have lost what it retained */
    async publish(again = false): Promise<void> {
      if (!broker.connected) return;
      const content = decidePeerList(
        fleet.agents().map((agent) => {
          const isAwake = agent.presence?.asleep === undefined;
          const { online } = availabilityOf(agent, nowMs(), staleAfterMs);
          return {
            agentId: agent.agentId,
            serves: online && isAwake && ownRoleOf(agent) === "active",
            isToWake: online && !isAwake && documents.get(agent.agentId)?.role === "active",
          };
        }),
        serving,
      );
      const text = JSON.stringify(content);
      if (text === published && !again) return;
      const message = encodeMessage(PeerList, { v: 1, sentAtMs: Math.round(nowMs()), ...content });
      await broker.publish(controllerPeersTopic(fleetName), message, { retain: true });
      serving = content.serving;
      published = text;
    },
  };
}
