import { createHash, timingSafeEqual } from "node:crypto";
import {
  agentClientId,
  agentSecret,
  doctorClientId,
  isBrokerName,
  observerSecret,
  observerUsername,
  reservedClientIds,
} from "#protocol/broker-secret.ts";
import { maxMessageBytes } from "#protocol/codec.ts";
import { peerListLimits } from "#protocol/messages.ts";
import {
  type AgentChannel,
  agentChannels,
  agentProbeTopic,
  agentTopic,
  controllerAccessTopic,
  controllerPeersTopic,
  controllerStateTopic,
  parseAgentTopic,
} from "#protocol/topics.ts";
import type { Admission, ClientAccess, ClientRights, PublishedPacket } from "./client-access.ts";

/** Channels that an agent publishes on, with the max bytes of each: fewer where messages are retained or delivered to other agents. */
const agentSays: Readonly<Partial<Record<AgentChannel, number>>> = {
  presence: 32_768,
  birth: maxMessageBytes,
  data: maxMessageBytes,
  beat: 32_768,
  reported: 32_768,
  "cmd-result": 8192,
};

/** Cost of a presence in messages, as it is delivered to every agent of the fleet. */
const presenceCost = 20;

/** Maximum topics of single peers that an agent follows. */
const maxFollowedTopics = 32 + 2 * peerListLimits.maxWake;

/** Maximum subscriptions of an observer; one or two are usual. */
const maxObserverSubscriptions = 16;

/** Compares in constant time; hashing first gives equal lengths. */
function isSecret(given: Uint8Array, expected: string): boolean {
  const hash = (value: string | Uint8Array) => createHash("sha256").update(value).digest();
  return timingSafeEqual(hash(given), hash(expected));
}

/** Rights of one agent: it publishes for itself alone, and receives what is meant for it and the others' presence. */
export function agentRights(fleet: string, agentId: string): ClientRights {
  const published = new Map(
    Object.entries(agentSays).map(([channel, maxBytes]) => {
      const { retain } = agentChannels[channel as AgentChannel];
      return [agentTopic(fleet, agentId, channel as AgentChannel), { maxBytes, retain }];
    }),
  );
  const presence = agentTopic(fleet, agentId, "presence");
  const filters = new Set([
    agentTopic(fleet, agentId, "desired"),
    agentTopic(fleet, agentId, "cmd"),
    agentTopic(fleet, agentId, "ack"),
    agentTopic(fleet, "+", "presence"),
    // An agent with power.sleep.wakeCommand wakes peers that are to serve. A role and its reason are no secret among agents.
    agentTopic(fleet, "+", "desired"),
    controllerStateTopic(fleet),
    controllerPeersTopic(fleet),
    controllerAccessTopic(fleet),
  ]);
  const own = new Set([
    controllerPeersTopic(fleet),
    controllerAccessTopic(fleet),
    agentTopic(fleet, agentId, "cmd"),
    agentTopic(fleet, agentId, "ack"),
    controllerStateTopic(fleet),
  ]);
  const isOfAll = (topic: string) => {
    const channel = parseAgentTopic(fleet, topic)?.channel;
    return channel === "presence" || channel === "desired";
  };
  return {
    role: "agent",
    name: agentId,
    denyPublish({ topic, retain, qos, bytes }) {
      const channel = published.get(topic);
      if (channel === undefined) return "an agent may publish only on its own topics";
      if (qos > 1) return "QoS 2 is not used here";
      if (retain && !channel.retain) return "this topic is not retained";
      return bytes > channel.maxBytes ? `more than ${channel.maxBytes} bytes` : null;
    },
    costOf: (topic) => (topic === presence ? presenceCost : 1),
    // In a large fleet an agent follows single peers: those that serve, and those that it is to wake.
    maySubscribe: (filter) => filters.has(filter) || (isOfAll(filter) && !/[+#]/.test(filter)),
    mayReceive: (topic) => own.has(topic) || isOfAll(topic),
    maxSubscriptions: filters.size + maxFollowedTopics,
  };
}

/** Rights of `thormesh doctor` with an agent's secret: a message to itself, which shows that publishing works. */
function doctorRights(fleet: string, agentId: string): ClientRights {
  const topic = agentProbeTopic(fleet, agentId);
  return {
    role: "doctor",
    name: agentId,
    denyPublish(packet: PublishedPacket) {
      const isProbe = packet.topic === topic && !packet.retain && packet.qos < 2 && packet.bytes <= 256;
      return isProbe ? null : "doctor may publish only a probe";
    },
    costOf: () => 1,
    maySubscribe: (filter) => filter === topic,
    mayReceive: (received) => received === topic,
    maxSubscriptions: 1,
  };
}

/** Rights of people who read the fleet's messages, e.g. with mosquitto_sub. */
function observerRights(fleet: string): ClientRights {
  const prefix = `thormesh/v1/${fleet}/`;
  const above = new Set(["#", "thormesh/#", "thormesh/v1/#", `${prefix}#`]);
  return {
    role: "observer",
    name: observerUsername,
    denyPublish: () => "an observer may not publish",
    costOf: () => 1,
    maySubscribe: (filter) => above.has(filter) || filter.startsWith(prefix),
    mayReceive: (topic) => topic.startsWith(prefix),
    maxSubscriptions: maxObserverSubscriptions,
  };
}

/** Devices that have joined, as far as admitting them goes. */
export interface DeviceAccess {
  /** Reason why a certificate of the fleet's authority admits nobody any more; null: it does. */
  refusal(agentId: string, keyHash: string): string | null;
  /** Reason why an agent's password admits nobody; null: it does. */
  passwordRefusal(agentId: string): string | null;
}

const anyDevices: DeviceAccess = { refusal: () => null, passwordRefusal: () => null };

/**
 * Admits the agents of one fleet, each by its certificate or the secret derived from the fleet's key and under its own client id, and observers. The controller
 * itself is no client: it publishes within its process.
 */
export function createFleetAccess(fleet: string, key: Uint8Array, devices: DeviceAccess = anyDevices): ClientAccess {
  const byClientId = (clientId: string, agentId: string): Admission => {
    if (clientId === agentClientId(fleet, agentId)) return { rights: agentRights(fleet, agentId) };
    if (clientId === doctorClientId(fleet, agentId)) return { rights: doctorRights(fleet, agentId) };
    return { refused: "client-id", detail: `expected client id ${agentClientId(fleet, agentId)}` };
  };
  return {
    passwordRefusal: (agentId) => devices.passwordRefusal(agentId),
    admit({ clientId, username, password, certificate = null }) {
      if (certificate !== null) {
        if (certificate.fleet !== fleet)
          return { refused: "certificate", detail: `the certificate is for fleet ${certificate.fleet}` };
        const refusal = devices.refusal(certificate.agentId, certificate.keyHash);
        if (refusal !== null) return { refused: "certificate", detail: refusal };
        return byClientId(clientId, certificate.agentId);
      }
      if (username === undefined || password === undefined || password.length === 0)
        return { refused: "no-secret", detail: "expected a user name and a password" };
      const asAgent = isSecret(password, agentSecret(key, fleet, username)) && isBrokerName(username);
      const asObserver = isSecret(password, observerSecret(key, fleet)) && username === observerUsername;
      if (asObserver) {
        return clientId.startsWith(reservedClientIds)
          ? { refused: "client-id", detail: `an observer's client id can't begin with ${reservedClientIds}` }
          : { rights: observerRights(fleet) };
      }
      if (!asAgent) return { refused: "wrong-secret", detail: "wrong password for this agent" };
      const refusal = devices.passwordRefusal(username);
      return refusal === null ? byClientId(clientId, username) : { refused: "certificate", detail: refusal };
    },
  };
}
