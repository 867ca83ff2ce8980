import type { Socket } from "node:net";
import { connectAsync, type MqttClient } from "mqtt";
import { residentBytes } from "#platform/process/resident-bytes.ts";
import { secondMs } from "#platform/time.ts";
import { agentTopic } from "#protocol/topics.ts";
import { fleetName } from "./fault-fleet.ts";
import type { Fault, FaultScene } from "./faults.ts";

const subscribers = 16;
const floodingAgents = 4;
const mebibyte = 1024 * 1024;
/** Bytes that each flooding agent sends: as much as one may send at once (`broker.limits`). */
const floodBytes = 19 * mebibyte;
const messageBytes = 30_000;
/** Bytes that a broker may keep for all of them (`broker.limits.maxBufferedBytes` for each), and as many again on their way through its memory. */
const maxGrowthBytes = 2 * subscribers * 4 * mebibyte;
const goesOnWithinMs = 30 * secondMs;

/** Publishes what no controller takes for a beat. */
async function flood(client: MqttClient, agentId: string): Promise<void> {
  const [topic, text] = [agentTopic(fleetName, agentId, "beat"), "x".repeat(messageBytes)];
  for (let sent = 0; sent < floodBytes; sent += messageBytes) await client.publishAsync(topic, text, { qos: 1 });
}

/** Observers that subscribe to everything and read nothing, while devices send as much as they may. */
async function inflict({ fleet, complain }: FaultScene): Promise<void> {
  const url = `mqtt://127.0.0.1:${fleet.brokerPort}`;
  const options = { reconnectPeriod: 0, keepalive: 0, protocolVersion: 4 } as const;
  const clients: MqttClient[] = [];
  const enter = async (login: object) => {
    const client = await connectAsync(url, { ...options, ...login });
    client.on("error", () => undefined);
    clients.push(client);
    return client;
  };
  const rejected = await fleet.slowReaders();
  const beforeBytes = residentBytes(fleet.pidOf("broker")) ?? 0;
  try {
    for (let each = 0; each < subscribers; each += 1) {
      const client = await enter(fleet.observerLogin());
      await client.subscribeAsync(`thormesh/v1/${fleetName}/#`, { qos: 1 });
      (client.stream as unknown as Socket).pause();
    }
    await Promise.all(
      Array.from({ length: floodingAgents }, async (_, index) => {
        const agentId = `flooding-${index + 1}`;
        await flood(await enter(fleet.deviceLogin(agentId)), agentId);
      }),
    );
    const grownBytes = (residentBytes(fleet.pidOf("broker")) ?? 0) - beforeBytes;
    if (grownBytes > maxGrowthBytes) complain(`the broker grew by ${Math.round(grownBytes / mebibyte)} MiB`);
    const endMs = performance.now() + goesOnWithinMs;
    let trouble = await fleet.trouble();
    while (trouble !== null && performance.now() < endMs) {
      await Bun.sleep(100);
      trouble = await fleet.trouble();
    }
    if (trouble !== null) complain(`beside slow subscribers: ${trouble}`);
    const shutOut = (await fleet.slowReaders()) - rejected;
    if (fleet.hasOwnBroker && shutOut < subscribers) complain(`${shutOut} of ${subscribers} were shut out`);
  } finally {
    await Promise.all(clients.map((client) => client.endAsync(true)));
  }
}

/** Shows that a broker keeps no more than it may for who does not read, and that the fleet continues meanwhile. */
export const slowSubscribers: Fault = { name: "subscribers that don't read", isLong: true, inflict };
