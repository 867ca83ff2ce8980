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
          ? `its controller's "thormesh controller secret ${agentId}" prints its broker password; where passwords have ended (identity.passwordsUntil), it joins with a token: thormesh agent join URL TOKEN`
          : `"thormesh agents list" at the controller shows whether ${agentId} was revoked; a device that is to come back joins again with a new token`,
      ...(joined === null ? {} : { explainTls: (fault) => explainTlsFault(fault, joined(), Date.now()) }),
      takenOverAdvice: `two agents use the id ${agentId}: give one of them another`,
      echoTopic: presence,
      keepAliveS: config.keepAliveS,
      will: { topic: presence, payload: encodeMessage(Presence, parts.will()) },
    },
    log,
  );
}
