import { createBrokerCredentials } from "#agent/broker-credentials.ts";
import type { AgentConfig } from "#agent/config.ts";
import type { DeviceIdentity } from "#agent/enrolment/device-identity.ts";
import { explainTlsFault } from "#agent/enrolment/explain-tls-fault.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { createLogger } from "#platform/log.ts";
import { doctorClientId } from "#protocol/broker-secret.ts";
import { refusalToText } from "#protocol/mqtt/broker-refusals.ts";
import { tlsFault } from "#protocol/mqtt/tls-fault.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentProbeTopic, agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const connectMs = 8_000;
const deliveryMs = 3_000;
const pollMs = 20;
const word = crypto.randomUUID();
const name = "broker";

export interface AskedAgent {
  readonly fleet: string;
  readonly agentId: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Publishes a test message to itself. A broker may acknowledge messages that it drops, so only arrival proves that publishing works. */
async function receivesOwnMessage(broker: MqttBroker, topic: string, heard: Promise<boolean>): Promise<boolean> {
  const lost = Promise.withResolvers<boolean>();
  broker.onConnection((connected) => {
    if (!connected) lost.resolve(false);
  });
  const timer = setTimeout(() => lost.resolve(false), deliveryMs);
  // Refused or not acknowledged: it may arrive anyway.
  broker.publish(topic, word, { retain: false }).catch(() => undefined);
  const arrived = await Promise.race([heard, lost.promise]);
  clearTimeout(timer);
  return arrived;
}

/** Channels on which an empty message that is not retained changes nothing: a presence would. */
const harmless = ["birth", "data", "beat", "reported", "cmd-result"] as const;

/**
 * Subscribes to what an agent reads and publishes nothing on its channels; returns what the broker denies. Only one of MQTT 5 answers for
 * publishing: one of 3.1.1 acknowledges what it forbids, or hangs up.
 * @param isExternal true: the broker is certainly not the controller's own, which lets a doctor ask for its test message alone
 */
async function askForTopics(
  broker: MqttBroker,
  { fleet, agentId }: AskedAgent,
  isExternal: boolean,
): Promise<string[]> {
  if (broker.protocol !== "5" && !isExternal) return [];
  const read = ["desired", "cmd", "ack"] as const;
  const filters = [...read.map((channel) => agentTopic(fleet, agentId, channel)), controllerStateTopic(fleet)];
  for (const filter of filters) broker.subscribe(filter, () => undefined);
  // Requests are answered in their order: after the test message's return the subscriptions have been answered as well.
  await broker.publish(agentProbeTopic(fleet, agentId), "", { retain: false }).catch(() => undefined);
  if (broker.protocol !== "5") return broker.refused.map(refusalToText);
  for (const channel of harmless)
    await broker.publish(agentTopic(fleet, agentId, channel), "", { retain: false }).catch(() => undefined);
  return broker.refused.map(refusalToText);
}

/** Waits until the agent's client is connected, or knows what keeps it from that. */
async function connectOnce(broker: MqttBroker): Promise<void> {
  const endMs = performance.now() + connectMs;
  await broker.start();
  while (!broker.connected && broker.problem === null && performance.now() < endMs) await Bun.sleep(pollMs);
}

function accessAdvice(url: string, agentId: string): string {
  const secret = `thormesh controller secret ${agentId}`;
  const elsewhere = `run "${secret}" on the controller's machine, save the output in a file (mode 0600), and set broker.passwordFile to its path`;
  return URL.canParse(url) && isLoopback(new URL(url).hostname)
    ? `run the agent as the controller's user, or ${elsewhere}`
    : elsewhere;
}

/** Failures of a network or of a broker that is not there just now; all others need a person. */
const passes =
  /ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|timed? ?out|timeout|Failed to connect/i;

/** Words of mqtt.js for bytes that are no packet. */
const notMqtt = /^Invalid header flag bits|^Invalid protocol|^Malformed|^Cannot parse/i;

function explainFailure(
  problem: string,
  url: string,
  { agentId }: AskedAgent,
  faults: readonly string[],
  joined: DeviceIdentity | null,
): CheckResult {
  const fault = tlsFault(problem);
  if (joined !== null && fault !== null)
    return failed(name, `no connection to ${redactUrl(url)}: ${problem}`, explainTlsFault(fault, joined, Date.now()));
  const advice = accessAdvice(url, agentId);
  const shown = redactUrl(url);
  if (problem.endsWith(advice)) {
    const reason = problem.slice(0, -advice.length).replace(/[:;\s]+$/, "");
    return failed(name, [`${shown} rejects agent ${agentId} (${reason})`, ...faults].join("; "), advice);
  }
  const detail = [`no connection to ${shown}: ${problem}`, ...faults].join("; ");
  const meanwhile = "the agent keeps serving without a broker, and keeps its records until there is one";
  if (passes.test(problem)) {
    const other = /ECONNRESET/i.test(problem)
      ? ": mqtts:// for a broker that accepts only TLS, mqtt:// for one without TLS"
      : "";
    return note(name, `${detail}; ${meanwhile}`, `start thormesh controller, or set broker.url${other}`);
  }
  return failed(
    name,
    `${detail}; ${meanwhile}`,
    /certificate|self.signed|issuer|CERT/i.test(problem)
      ? "if the broker's certificate is from your own authority, set NODE_EXTRA_CA_CERTS to that authority's file, for the service as well"
      : `set broker.url to the address of the broker${notMqtt.test(problem) ? ": the server there does not speak MQTT" : ""}`,
  );
}

/** Checks with the agent's own client that the broker accepts this agent and delivers its messages. */
export async function checkBroker(
  config: AgentConfig["broker"],
  agent: AskedAgent,
  joined: DeviceIdentity | null = null,
): Promise<CheckResult> {
  const { fleet, agentId } = agent;
  const shown = redactUrl(config.url);
  const faults: string[] = [];
  const credentials = createBrokerCredentials({
    ...agent,
    broker: config,
    joined: () => joined,
    counted: { note: (kind, details) => void faults.push(`${kind}: ${details["err"] ?? details["path"]}`) },
  });
  const { url } = config;
  const clientId = doctorClientId(fleet, agentId);
  const broker = new MqttBroker(
    { url, clientId, credentials, refusedAdvice: accessAdvice(url, agentId) },
    createLogger("doctor", "silent"),
  );
  const topic = agentProbeTopic(fleet, agentId);
  const heard = Promise.withResolvers<boolean>();
  broker.subscribe(topic, ({ payload }) => {
    if (new TextDecoder().decode(payload) === word) heard.resolve(true);
  });
  try {
    await connectOnce(broker);
    if (!broker.connected)
      return explainFailure(
        broker.problem ?? `no answer within ${connectMs / 1000} s (timeout)`,
        url,
        agent,
        faults,
        joined,
      );
    const grant = "grant it the topics under thormesh/v1/FLEET/agents/ID that docs/mqtt.md lists";
    if (!(await receivesOwnMessage(broker, topic, heard.promise)))
      return failed(name, `${shown} accepts agent ${agentId}, but does not deliver its messages to ${topic}`, grant);
    const denied = await askForTopics(broker, agent, joined !== null && joined.broker.url !== null);
    const unknown =
      broker.protocol === "5"
        ? ""
        : "; over MQTT 3.1.1 a broker does not report what else it forbids: the agent does, when the controller acknowledges no records";
    return denied.length === 0
      ? ok(name, `${shown} accepts agent ${agentId}, and its messages arrive${joined === null ? "" : unknown}`)
      : failed(name, `${shown} accepts agent ${agentId}, but ${denied.join("; ")}`, grant);
  } finally {
    await broker.stop().catch(() => undefined);
  }
}
