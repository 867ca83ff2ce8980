import { connectAsync, type MqttClient } from "mqtt";
import { agentClientId, agentSecret, observerSecret, observerUsername } from "#protocol/broker-secret.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { ControllerState, FleetAccess, PeerList } from "#protocol/messages.ts";
import {
  agentChannels,
  agentTopic,
  controllerAccessTopic,
  controllerPeersTopic,
  controllerStateTopic,
  parseAgentTopic,
} from "#protocol/topics.ts";

const acknowledgedMs = 20_000;

/** Connects a well-behaved agent and an observer to a broker that is being fuzzed. */
export async function createWitness(url: string, fleet: string, key: Uint8Array) {
  /** Messages on the controller's topics that are not from the controller. */
  const forged: string[] = [];
  let instanceId: string | undefined;
  const enter = (login: object): Promise<MqttClient> =>
    connectAsync(url, { ...login, reconnectPeriod: 200, connectTimeout: acknowledgedMs });
  const agentId = "steady";
  const agent = await enter({
    clientId: agentClientId(fleet, agentId),
    username: agentId,
    password: agentSecret(key, fleet, agentId),
  });
  const onlooker = await enter({ username: observerUsername, password: observerSecret(key, fleet) });
  for (const client of [agent, onlooker]) client.on("error", () => undefined);

  const isForged = (topic: string, payload: Buffer): boolean => {
    if (topic === controllerStateTopic(fleet)) {
      const state = decodeMessage(ControllerState, payload);
      if (!state.ok) return true;
      instanceId ??= state.message.instanceId;
      return state.message.instanceId !== instanceId;
    }
    // The controller's own word of who serves.
    if (topic === controllerPeersTopic(fleet)) return !decodeMessage(PeerList, payload).ok;
    if (topic === controllerAccessTopic(fleet)) return !decodeMessage(FleetAccess, payload).ok;
    const channel = parseAgentTopic(fleet, topic)?.channel;
    if (channel !== "desired" && channel !== "cmd") return topic.includes("/controller/");
    const decoded = decodeMessage(agentChannels[channel].schema, payload);
    return !decoded.ok || ("id" in decoded.message && decoded.message.id === "fuzz");
  };
  onlooker.on("message", (topic, payload) => {
    if (isForged(topic, payload)) forged.push(`${topic}: ${payload.toString("latin1").slice(0, 100)}`);
  });
  await onlooker.subscribeAsync("thormesh/#", { qos: 1 });

  return {
    forged,
    /** Publishes as an agent does. Rejects when that is not acknowledged in time. */
    async speak(): Promise<void> {
      const presence = { v: 1, agentId, bootId: "steady", sentAtMs: Date.now(), status: "online", role: "active" };
      const place = { url: "http://127.0.0.1:1", region: "", version: "0", models: [] };
      const said = agent.publishAsync(
        agentTopic(fleet, agentId, "presence"),
        JSON.stringify({ ...presence, ...place }),
        { qos: 1, retain: true },
      );
      const late = Bun.sleep(acknowledgedMs).then(() => {
        throw new Error(`an agent that behaves waits for its acknowledgement for more than ${acknowledgedMs / 1000} s`);
      });
      await Promise.race([said, late]);
    },
    async stop(): Promise<void> {
      await Promise.all([agent.endAsync(true), onlooker.endAsync(true)]);
    },
  };
}
