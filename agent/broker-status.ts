import { redactUrl } from "#platform/fetch/redact-url.ts";
import { type BrokerRefusal, refusalToText } from "#protocol/mqtt/broker-refusals.ts";
import type { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerAccessTopic, controllerPeersTopic } from "#protocol/topics.ts";
import type { AgentIdentity } from "./identity.ts";
import type { HealthCheck } from "./serving/ports.ts";
import type { Unconfirmed } from "./telemetry/outbox-sender.ts";

type Connection = Pick<MqttBroker, "connected" | "protocol" | "problem">;

/** State of the connection to the fleet's broker. */
export interface BrokerStatus {
  readonly url: string;
  readonly connected: boolean;
  /** Version of MQTT; null: not connected. */
  readonly protocol: "5" | "3.1.1" | null;
  readonly problem: string | null;
  readonly refused: readonly BrokerRefusal[];
}

/** Silences of the controller in a row after which the broker is the likely cause: the first may be a restart. */
const silencesToTell = 2;

/** Returns what the broker does not let this agent do: as it says, and as follows from records that never arrive. */
export function agentRefusals(
  said: readonly BrokerRefusal[],
  { fleet, agentId }: Pick<AgentIdentity, "fleet" | "agentId">,
  { records, silences }: Unconfirmed,
  controllerAcknowledges: boolean,
): readonly BrokerRefusal[] {
  const ack = agentTopic(fleet, agentId, "ack");
  const data = agentTopic(fleet, agentId, "data");
  // The broker of a controller of an earlier version knows no such subscriptions, and needs none.
  const later = new Set([
    ack,
    agentTopic(fleet, agentId, "presence"),
    controllerPeersTopic(fleet),
    controllerAccessTopic(fleet),
  ]);
  const known = said.filter(({ action, topic }) => controllerAcknowledges || action === "publish" || !later.has(topic));
  if (silences < silencesToTell || known.some(({ topic }) => topic === data || topic === ack)) return known;
  const reason =
    `the broker takes records (${records} waiting), but the controller has not acknowledged any for a while: ` +
    `may this agent publish on ${data} and read ${ack}?`;
  return [...known, { action: "publish", topic: data, reason }];
}

/** True while the broker lets this agent in no more, or lets it in and denies it what an agent is for. */
export function isTurnedAway(
  broker: Pick<MqttBroker, "isTurnedAway">,
  refused: readonly BrokerRefusal[],
  { fleet, agentId }: Pick<AgentIdentity, "fleet" | "agentId">,
): boolean {
  const data = agentTopic(fleet, agentId, "data");
  return broker.isTurnedAway || refused.some(({ topic }) => topic === data);
}

export function brokerStatus(
  url: string,
  { connected, protocol, problem }: Connection,
  refused: readonly BrokerRefusal[],
): BrokerStatus {
  return { url: redactUrl(url), connected, protocol, problem, refused };
}

/** Health of the connection. An agent without a broker serves as well, so its absence alone degrades nothing. */
export function brokerHealth(
  { connected, protocol, problem }: Connection,
  refused: readonly BrokerRefusal[],
): HealthCheck {
  const faults = [...(problem === null ? [] : [problem]), ...refused.map(refusalToText)];
  if (!connected) return { status: "unused", detail: faults[0] ?? "not connected yet" };
  if (faults.length > 0) return { status: "degraded", detail: faults.join("; ") };
  return { status: "healthy", detail: `connected over MQTT ${protocol}` };
}
