import { createCountedLog, type Logger } from "#platform/log.ts";
import { agentClientId } from "#protocol/broker-secret.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { createBrokerCredentials } from "../broker-credentials.ts";
import type { AgentConfig } from "../config.ts";
import type { DeviceIdentity } from "../enrolment/device-identity.ts";
import { explainTlsFault } from "../enrolment/explain-tls-fault.ts";
import type { AgentIdentity } from "../identity.ts";

/** Creates an agent's connection to its fleet's broker. @param parts.joined identity as it is now; null: the device has not joined */
export function createAgentBroker(parts: {
  readonly config: AgentConfig["broker"];
  readonly identity: Pick<AgentIdentity, "fleet" | "agentId">;
  readonly joined: (() => DeviceIdentity) | null;
  /** Presence that the broker publishes when the connection breaks. */
  readonly will: () => Presence;
  readonly log: Logger;
}): MqttBroker {
  const { config, joined, log } = parts;
  const { fleet, agentId } = parts.identity;
  const presence = agentTopic(fleet, agentId, "presence");
  return new MqttBroker(
    {
      url: config.url,
      clientId: agentClientId(fleet, agentId),
      credentials: createBrokerCredentials({
        broker: config,
        joined: () => joined?.() ?? null,
        fleet,
        agentId,
        environment: process.env,
        counted: createCountedLog(log, Date.now),
      }),
      refusedAdvice:
        joined === null
          ? `"thormesh controller secret ${agentId}" on the controller prints its broker password; if passwords have expired (identity.passwordsUntil), join with a token: thormesh agent join URL TOKEN`
          : `"thormesh agents list" on the controller shows whether ${agentId} was revoked; to come back, a device must join again with a new token`,
      ...(joined === null ? {} : { explainTls: (fault) => explainTlsFault(fault, joined(), Date.now()) }),
      takenOverAdvice: `two agents use the id ${agentId}: give one of them another id`,
      echoTopic: presence,
      keepAliveS: config.keepAliveS,
      will: { topic: presence, payload: encodeMessage(Presence, parts.will()) },
    },
    log,
  );
}
