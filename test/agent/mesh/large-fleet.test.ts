import { afterAll, beforeAll, expect, test } from "bun:test";
import pino from "pino";
import { PeerFollower } from "#agent/mesh/peer-follower.ts";
import { decidePeerList } from "#controller/fleet/decide-peer-list.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { PeerList, Presence } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerPeersTopic } from "#protocol/topics.ts";
import { aPresence } from "../../fakes/builders.ts";
import { createMosquitto, type Mosquitto } from "../../fakes/mosquitto.ts";
import { untilConnected } from "../../protocol/broker-contract.ts";

const silent = pino({ level: "silent" });
const fleet = "large";
const agents = 10_000;
const idOf = (index: number) => `thor-${index}`;
let mosquitto: Mosquitto;
let world: MqttBroker;

/** Publishes the presence of every agent; those with an even number serve. */
async function everyAgentSays(bootId: string): Promise<void> {
  const say = (index: number) =>
    world.publish(
      agentTopic(fleet, idOf(index), "presence"),
      encodeMessage(
        Presence,
        aPresence({ agentId: idOf(index), bootId, role: index % 2 === 0 ? "active" : "standby" }),
      ),
      { retain: true },
    );
  for (let from = 0; from < agents; from += 500)
    await Promise.all(Array.from({ length: 500 }, (_, index) => say(from + index)));
}

beforeAll(async () => {
  mosquitto = await createMosquitto(undefined, ["max_queued_messages 0"]);
  world = new MqttBroker({ url: mosquitto.url, clientId: "world" }, silent);
  await world.start();
  await untilConnected(world);
  await everyAgentSays("boot-1");
  const content = decidePeerList(
    Array.from({ length: agents }, (_, index) => ({ agentId: idOf(index), serves: index % 2 === 0, isToWake: false })),
    [],
  );
  const list = encodeMessage(PeerList, { v: 1, sentAtMs: 1, ...content });
  await world.publish(controllerPeersTopic(fleet), list, { retain: true });
});
afterAll(async () => {
  await world.stop();
  await mosquitto.dispose();
});

test(`what an agent reads does not grow with its fleet, here of ${agents}`, async () => {
  const broker = new MqttBroker({ url: mosquitto.url, clientId: "subject" }, silent);
  let read = 0;
  const peers = new Map<string, string>();
  const counted: Pick<Broker, "subscribe" | "unsubscribe" | "onConnection"> = {
    subscribe: (filter, handler) =>
      broker.subscribe(filter, (message) => {
        read += 1;
        return handler(message);
      }),
    unsubscribe: (filter) => broker.unsubscribe(filter),
    onConnection: (listener) => broker.onConnection(listener),
  };
  const follower = new PeerFollower({
    ...{ broker: counted, identity: { fleet, agentId: idOf(1) }, onDesired: null },
    onPresence: ({ payload }, agentId) => void peers.set(agentId, JSON.parse(new TextDecoder().decode(payload)).bootId),
    onForgotten: (agentId) => void peers.delete(agentId),
    onRefused: () => undefined,
  });
  follower.start();
  const heardOf = async (bootId: string) => {
    while (peers.size < 32 || [...peers.values()].some((each) => each !== bootId)) await Bun.sleep(5);
  };
  try {
    await broker.start();
    await heardOf("boot-1");
    expect([read, broker.refused]).toEqual([33, []]);
    // All of them come back at once, as after a power cut.
    await everyAgentSays("boot-2");
    await heardOf("boot-2");
    // What comes after all that was under way.
    const last = new Promise<void>((resolve) => broker.subscribe("last", () => resolve()));
    const repeat = setInterval(() => void world.publish("last", "x", { retain: false }).catch(() => undefined), 20);
    await last;
    clearInterval(repeat);
    expect(read).toBe(33 + 32);
    expect([...peers.keys()].every((agentId) => Number(agentId.slice("thor-".length)) % 2 === 0)).toBe(true);
  } finally {
    follower.stop();
    await broker.stop();
  }
});
