import { connectAsync, type MqttClient } from "mqtt";
import { createBrokerCredentials } from "#agent/broker-credentials.ts";
import type { AgentConfig } from "#agent/config.ts";
import { describeError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { doctorClientId } from "#protocol/broker-secret.ts";
import { agentProbeTopic } from "#protocol/topics.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const connectMs = 8_000;
const deliveryMs = 3_000;
const name = "broker";

export interface AskedAgent {
  readonly fleet: string;
  readonly agentId: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Publishes a test message to itself. A broker may acknowledge messages that it drops, so only arrival proves that publishing works. */
async function receivesOwnMessage(client: MqttClient, topic: string): Promise<boolean> {
  const word = crypto.randomUUID();
  const heard = Promise.withResolvers<boolean>();
  client.on("message", (_topic, payload) => {
    if (payload.toString() === word) heard.resolve(true);
  });
  client.on("close", () => heard.resolve(false));
  client.on("error", () => heard.resolve(false));
  const timer = setTimeout(() => heard.resolve(false), deliveryMs);
  try {
    await client.subscribeAsync(topic, { qos: 1 });
    client.publish(topic, word, { qos: 1 }, () => undefined);
    return await heard.promise;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function accessAdvice(url: string, agentId: string): string {
  const secret = `thormesh controller secret ${agentId}`;
  const elsewhere = `run "${secret}" on the controller's machine, save the output in a file (mode 0600), and set broker.passwordFile to its path`;
  return URL.canParse(url) && isLoopback(new URL(url).hostname)
    ? `run the agent as the controller's user, or ${elsewhere}`
    : elsewhere;
}

/** Checks that the broker accepts this agent and delivers its messages. */
export async function checkBroker(broker: AgentConfig["broker"], agent: AskedAgent): Promise<CheckResult> {
  const { fleet, agentId } = agent;
  const shown = redactUrl(broker.url);
  const faults: string[] = [];
  const credentials = createBrokerCredentials({
    ...agent,
    broker,
    counted: { note: (kind, details) => void faults.push(`${kind}: ${details["err"] ?? details["path"]}`) },
  })();
  let client: MqttClient;
  try {
    const clientId = doctorClientId(fleet, agentId);
    const settings = {
      clientId,
      ...credentials,
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: connectMs,
    } as const;
    client = await connectAsync(broker.url, settings, false);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 4 || code === 5) {
      const detail = [`${shown} rejects agent ${agentId} (${describeError(error)})`, ...faults].join("; ");
      return failed(name, detail, accessAdvice(broker.url, agentId));
    }
    return note(
      name,
      `${shown} does not answer: the agent serves without it and keeps its records until it does`,
      "start thormesh controller, or set broker.url",
    );
  }
  try {
    const topic = agentProbeTopic(fleet, agentId);
    if (await receivesOwnMessage(client, topic))
      return ok(name, `${shown} accepts agent ${agentId}, and its messages arrive`);
    return failed(
      name,
      `${shown} accepts agent ${agentId}, but does not deliver its messages to ${topic}`,
      "grant it the topics under thormesh/v1/FLEET/agents/ID that docs/mqtt.md lists",
    );
  } finally {
    await client.endAsync(true).catch(() => undefined);
  }
}
