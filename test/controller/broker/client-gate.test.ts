import { afterEach, describe, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import type { Client } from "aedes";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import pino from "pino";
import type { BrokerLimits } from "#controller/broker/broker-config.ts";
import { ClientGate } from "#controller/broker/client-gate.ts";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { createFleetAccess } from "#controller/broker/fleet-access.ts";
import { createRetainedMessages } from "#controller/broker/retained/retained-messages.ts";
import { agentChannels, agentTopic, controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import { agentLogin, brokerLimits, type Login, observerLogin, testKey } from "../../fakes/broker-clients.ts";

const fleet = "f";
const lines: Record<string, unknown>[] = [];
const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
let embedded: EmbeddedBroker;
let port: number;
/** Messages that reached the controller. */
const handled: { topic: string; payload: string }[] = [];
const clients: MqttClient[] = [];
const sockets: Socket[] = [];

const begin = async (limits: Partial<BrokerLimits> = {}) => {
  handled.length = 0;
  lines.length = 0;
  embedded = new EmbeddedBroker(
    { host: "127.0.0.1", port: 0, access: createFleetAccess(fleet, testKey), limits: brokerLimits(limits) },
    log,
  );
  embedded.broker.subscribe("#", ({ topic, payload }) => {
    handled.push({ topic, payload: new TextDecoder().decode(payload) });
  });
  await embedded.broker.start();
  port = await embedded.listen();
};
afterEach(async () => {
  for (const client of clients.splice(0)) await client.endAsync(true);
  for (const socket of sockets.splice(0)) socket.destroy();
  await embedded.broker.stop();
  await embedded.close();
});

const enter = async (login: Login | object, options: IClientOptions = {}): Promise<MqttClient> => {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...login, ...options }, false);
  client.on("error", () => undefined);
  clients.push(client);
  return client;
};
const closed = (client: MqttClient) =>
  client.connected ? new Promise<void>((resolve) => client.once("close", () => resolve())) : Promise.resolve();
/** Returns true if a publish was acknowledged, false if it cost the connection. */
const tryPublish = (client: MqttClient, topic: string, retain = false, qos: 0 | 1 | 2 = 1): Promise<string> =>
  Promise.race([
    client.publishAsync(topic, "x", { qos, retain }).then(
      () => "acknowledged",
      () => "closed",
    ),
    closed(client).then(() => "closed"),
  ]);
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(10);
};
const idle = (): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => undefined);
    socket.resume();
    sockets.push(socket);
  });
const own = (channel: keyof typeof agentChannels, id = "a") => agentTopic(fleet, id, channel);

describe("rights at the wire", () => {
  const elsewhere = [
    ...Object.keys(agentChannels).map((channel) => own(channel as keyof typeof agentChannels, "b")),
    own("desired"),
    own("cmd"),
    agentTopic("g", "a", "presence"),
    controllerStateTopic(fleet),
    controllerProbeTopic(fleet),
    "$SYS/a/heartbeat",
    "other",
  ];
  const mine = (["presence", "birth", "data", "beat", "reported", "cmd-result"] as const).map((channel) =>
    own(channel),
  );

  test("what an agent may publish is acknowledged and arrives; all else costs the connection and reaches nobody", async () => {
    await begin();
    const observer = await enter(observerLogin(fleet));
    const seen: string[] = [];
    observer.on("message", (topic) => seen.push(topic));
    await observer.subscribeAsync("#", { qos: 1 });
    const agent = await enter(agentLogin("a", fleet));
    for (const topic of mine) expect([topic, await tryPublish(agent, topic)]).toEqual([topic, "acknowledged"]);
    for (const topic of elsewhere) {
      const intruder = await enter(agentLogin("a", fleet));
      expect([topic, await tryPublish(intruder, topic)]).toEqual([topic, "closed"]);
    }
    const asRetained = ["birth", "data", "beat", "cmd-result"] as const;
    for (const channel of asRetained) {
      expect(await tryPublish(await enter(agentLogin("a", fleet)), own(channel), true)).toBe("closed");
    }
    expect(await tryPublish(await enter(agentLogin("a", fleet)), own("data"), false, 2)).toBe("closed");
    await until(() => seen.length >= mine.length);
    expect(handled.map(({ topic }) => topic)).toEqual(mine);
    expect(seen.toSorted()).toEqual(mine.toSorted());
    expect(embedded.counts().dropped.get("denied-publish")).toBe(elsewhere.length + asRetained.length + 1);
    expect(lines.some(({ msg }) => String(msg).includes("denied-publish"))).toBe(true);
  });

  test("a last will is held to the same: at once, not when it is published", async () => {
    await begin();
    for (const topic of [...elsewhere, own("data"), own("birth")]) {
      const will = { topic, payload: Buffer.from("x"), qos: 1 as const, retain: true };
      const entering = enter(agentLogin("a", fleet), { will });
      await expect(entering).rejects.toThrow("Not authorized");
    }
    expect(embedded.counts().refused.get("will")).toBe(elsewhere.length + 2);
    const will = { topic: own("presence"), payload: Buffer.from("bye"), qos: 1 as const, retain: true };
    const agent = await enter(agentLogin("a", fleet), { will });
    agent.stream.destroy();
    await until(() => handled.length > 0);
    expect(handled).toEqual([{ topic: own("presence"), payload: "bye" }]);
  });

  test("a filter that is not its own is refused; nothing comes by it", async () => {
    await begin();
    const agent = await enter(agentLogin("a", fleet));
    // A peer's role is no secret: who is to be woken is read there.
    const filters = [own("desired"), own("desired", "b"), own("cmd", "b"), "#", "thormesh/#", "$SYS/#", own("data")];
    const granted = await agent.subscribeAsync(filters, { qos: 1 }).catch((error) => error.packet ?? error);
    const codes = Array.isArray(granted) ? granted.map(({ qos }) => qos) : granted.granted;
    expect(codes).toEqual([1, 1, 128, 128, 128, 128, 128]);
    const seen: string[] = [];
    agent.on("message", (topic) => seen.push(topic));
    for (const topic of [own("cmd", "b"), own("reported", "b"), own("desired")])
      await embedded.broker.publish(topic, "x", { retain: false });
    await until(() => seen.length > 0);
    expect(seen).toEqual([own("desired")]);
    expect(embedded.counts().deniedSubscriptions).toBe(5);
  });

  test("an observer sees the fleet and cannot say a word", async () => {
    await begin();
    for (const topic of [...mine, ...elsewhere])
      expect([topic, await tryPublish(await enter(observerLogin(fleet)), topic)]).toEqual([topic, "closed"]);
    expect(handled).toEqual([]);
  });
});

describe("who is refused", () => {
  test("waits longer each time; who knows its secret gets in at once from the same address", async () => {
    await begin();
    const wrong = { ...agentLogin("a", fleet), password: "guess" };
    const guesses = Array.from({ length: 7 }, () => enter(wrong).catch((error) => String(error)));
    await until(() => (embedded.counts().refused.get("wrong-secret") ?? 0) >= 7);
    const agent = await enter(agentLogin("a", fleet));
    expect(await tryPublish(agent, own("data"))).toBe("acknowledged");
    expect(await Promise.race([Promise.all(guesses).then(() => "answered"), Promise.resolve("waiting")])).toBe(
      "waiting",
    );
    for (const answer of await Promise.all(guesses)) expect(answer).toContain("Not authorized");
    expect(lines.filter(({ msg }) => msg === "an MQTT client was rejected")).toHaveLength(1);
  });

  test("who has gone is not answered later: nothing that it sent stays in memory meanwhile", async () => {
    await begin();
    const gate = new ClientGate({
      access: createFleetAccess(fleet, testKey),
      limits: brokerLimits(),
      retained: createRetainedMessages(1),
      handle: async () => undefined,
      counted: { note: () => undefined },
    });
    const refuse = (socket: Socket) => {
      let answers = 0;
      const client = { id: "x", conn: socket } as unknown as Client;
      gate.hooks.authenticate(client, "a", Buffer.from("wrong"), () => {
        answers += 1;
      });
      return () => answers;
    };
    // Many times, so that the delay is at its longest.
    const waiting: { socket: Socket; answers: () => number }[] = [];
    for (let i = 0; i < 20; i += 1) {
      const socket = await idle();
      waiting.push({ socket, answers: refuse(socket) });
    }
    const last = waiting.slice(-5);
    expect(last.map(({ answers }) => answers())).toEqual([0, 0, 0, 0, 0]);
    for (const { socket } of last) {
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.destroy();
      await gone;
    }
    expect(last.map(({ answers }) => answers())).toEqual([1, 1, 1, 1, 1]);
    const socket = await idle();
    socket.destroy();
    expect(refuse(socket)()).toBe(1);
    await until(() => waiting.every(({ answers }) => answers() === 1));
  });

  test("nothing of a will of somebody who was not let in is published", async () => {
    await begin();
    const will = { topic: own("presence"), payload: Buffer.from("x"), qos: 1 as const, retain: true };
    await expect(enter({ ...agentLogin("a", fleet), password: "x" }, { will })).rejects.toThrow("Not authorized");
    await until(() => embedded.counts().connections === 0);
    expect(handled).toEqual([]);
  });
});

describe("bounds", () => {
  test("no session outlives its connection: nothing is kept for who is away", async () => {
    await begin();
    const first = await enter(agentLogin("a", fleet), { clean: false });
    await first.subscribeAsync(own("desired"), { qos: 1 });
    await first.endAsync();
    await embedded.broker.publish(own("desired"), "while it was away", { retain: false });
    const again = await enter(agentLogin("a", fleet), { clean: false });
    const seen: string[] = [];
    again.on("message", (_topic, payload) => seen.push(payload.toString()));
    await again.subscribeAsync(own("desired"), { qos: 1 });
    await embedded.broker.publish(own("desired"), "while it is here", { retain: false });
    await until(() => seen.length > 0);
    expect(seen).toEqual(["while it is here"]);
  });

  test("connections that say nothing give way to the newest, and an agent gets in among them", async () => {
    await begin({ maxHalfOpenPerAddress: 20, halfOpenMs: 600_000 });
    for (let i = 0; i < 100; i += 1) await idle();
    await until(() => embedded.counts().halfOpen === 20);
    const agent = await enter(agentLogin("a", fleet));
    expect(await tryPublish(agent, own("data"))).toBe("acknowledged");
    await until(() => sockets.filter((socket) => !socket.closed).length <= 20);
    expect(embedded.counts().dropped.get("half-open")).toBeGreaterThanOrEqual(80);
  });

  test("a connection that says nothing ends after a while", async () => {
    await begin({ halfOpenMs: 50 });
    const socket = await idle();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(embedded.counts()).toMatchObject({ halfOpen: 0, connections: 0 });
  });

  test("a client has so many subscriptions, and of so many levels", async () => {
    await begin();
    const observer = await enter(observerLogin(fleet));
    const filters = Array.from({ length: 20 }, (_, i) => agentTopic(fleet, `agent-${i}`, "data"));
    const answer = await observer.subscribeAsync(filters, { qos: 1 }).catch((error) => error.packet ?? error);
    const codes: number[] = Array.isArray(answer) ? answer.map(({ qos }) => qos) : answer.granted;
    expect(codes).toEqual([...new Array(16).fill(1), ...new Array(4).fill(128)]);
    const end = closed(observer);
    observer.subscribe(`thormesh/v1/${fleet}/${"x/".repeat(40)}#`, () => undefined);
    await end;
  });

  test("of observers, who share a secret, there are 32", async () => {
    await begin();
    const observers: MqttClient[] = [];
    for (let i = 0; i < 32; i += 1) observers.push(await enter(observerLogin(fleet)));
    await expect(enter(observerLogin(fleet))).rejects.toThrow("Not authorized");
    expect(embedded.counts().refused.get("too-many")).toBe(1);
    await observers[0]?.endAsync();
    await until(() => embedded.counts().connections < 32);
    await enter(observerLogin(fleet));
    await enter(agentLogin("a", fleet));
  });

  test("the broker closes at once, whoever is still there", async () => {
    await begin({ halfOpenMs: 600_000 });
    const socket = await idle();
    const end = new Promise((resolve) => socket.once("close", resolve));
    await until(() => embedded.counts().halfOpen === 1);
    void enter({ ...agentLogin("a", fleet), password: "x" }).catch(() => undefined);
    await until(() => embedded.counts().refused.size > 0);
    await embedded.broker.stop();
    await embedded.close();
    await end;
  });

  test("there is a number of connections that is enough", async () => {
    await begin({ maxConnections: 2 });
    await enter(agentLogin("a", fleet));
    await enter(agentLogin("b", fleet));
    await expect(enter(agentLogin("c", fleet))).rejects.toThrow();
    expect(embedded.counts().dropped.get("too-many")).toBe(1);
  });

  test.each<[string, Buffer | number[]]>([
    ["a CONNECT that announces 200 MB", [0x10, 0x80, 0x80, 0x80, 0x64]],
    ["20 KB of CONNECT", Buffer.concat([Buffer.from([0x10, 0xa0, 0x9c, 0x01]), Buffer.alloc(20_000)])],
    ["a PUBLISH without a CONNECT", [0x30, 0x05, 0, 1, 0x61, 0x62, 0x63]],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ])("%s ends the connection at its header", async (_name, bytes) => {
    await begin();
    const socket = await idle();
    const end = new Promise((resolve) => socket.once("close", resolve));
    socket.write(Buffer.from(bytes));
    await end;
    expect(embedded.counts().dropped.get("packet")).toBe(1);
  });

  test("an agent has two messages kept, however it tries; over the budget of all none is taken", async () => {
    await begin({ maxRetainedBytes: 3 * (512 + 1000), messagesPerS: 100_000 });
    const agent = await enter(agentLogin("a", fleet));
    const text = "x".repeat(1000);
    for (let i = 0; i < 50; i += 1) {
      await agent.publishAsync(own("presence"), text, { qos: 1, retain: true });
      await agent.publishAsync(own("reported"), text, { qos: 1, retain: true });
    }
    expect(embedded.counts()).toMatchObject({ retainedMessages: 2, retainedBytes: 2 * (512 + 1000) });
    const b = await enter(agentLogin("b", fleet));
    await b.publishAsync(own("presence", "b"), text, { qos: 1, retain: true });
    expect(await tryPublish(b, own("reported", "b"), true)).toBe("closed");
    expect(embedded.counts().dropped.get("retained-full")).toBe(1);
    await agent.publishAsync(own("presence"), "", { qos: 1, retain: true });
    expect(embedded.counts().retainedMessages).toBe(2);
  });

  test("who publishes too much is slowed down, loses nothing, and disturbs nobody", async () => {
    await begin({ messagesPerS: 100, burstS: 1 });
    const agent = await enter(agentLogin("a", fleet));
    const quiet = await enter(agentLogin("b", fleet));
    const flood = Promise.all(
      Array.from({ length: 300 }, (_, i) => agent.publishAsync(own("data"), String(i), { qos: 1 })),
    );
    expect(await tryPublish(quiet, own("data", "b"))).toBe("acknowledged");
    expect(handled.filter(({ topic }) => topic === own("data")).length).toBeLessThan(300);
    await flood;
    const arrived = handled.filter(({ topic }) => topic === own("data")).map(({ payload }) => Number(payload));
    expect(arrived).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(embedded.counts().slowedMs).toBeGreaterThan(0);
  });

  test("a new connection brings no new allowance, and what goes to all agents counts for more", async () => {
    await begin({ messagesPerS: 100, burstS: 1 });
    for (let i = 0; i < 4; i += 1) {
      const agent = await enter(agentLogin("a", fleet));
      await Promise.all(Array.from({ length: 50 }, () => agent.publishAsync(own("data"), "x", { qos: 1 })));
      await agent.endAsync();
    }
    expect(embedded.counts().slowedMs).toBeGreaterThan(0);
    const before = embedded.counts().slowedMs;
    const other = await enter(agentLogin("b", fleet));
    for (let i = 0; i < 8; i += 1) await other.publishAsync(own("presence", "b"), "x", { qos: 1, retain: true });
    expect(embedded.counts().slowedMs).toBeGreaterThan(before);
  });

  test("an agent that connects without end, with a will each time, is refused; few of its words wait", async () => {
    await begin({ messagesPerS: 1, burstS: 1 });
    const will = { topic: own("presence"), payload: Buffer.from("x".repeat(15_000)), qos: 1, retain: true } as const;
    let letIn = 0;
    for (let i = 0; i < 200; i += 1) {
      const agent = await enter(agentLogin("a", fleet), { will }).catch(() => null);
      if (agent === null) continue;
      letIn += 1;
      const end = closed(agent);
      agent.stream.destroy();
      await end;
    }
    // 60 at once, and one each second that this took.
    const refused = embedded.counts().refused.get("too-often") ?? 0;
    expect(refused).toBeGreaterThan(0);
    expect(letIn + refused).toBe(200);
    expect(letIn).toBeGreaterThanOrEqual(60);
    // Others are let in as ever.
    expect(await tryPublish(await enter(agentLogin("b", fleet)), own("data", "b"))).toBe("acknowledged");
  });

  test("what waits of an agent is bounded, over all its connections", async () => {
    await begin({ messagesPerS: 1000, bytesPerS: 1, burstS: 1 });
    const payload = Buffer.alloc(250_000, 32);
    for (let i = 0; i < 40; i += 1) {
      const agent = await enter(agentLogin("a", fleet));
      const end = closed(agent);
      // Both are before the broker when the second has come; the connection then ends with one of them waiting.
      await agent.publishAsync(own("data"), payload, { qos: 0 });
      await agent.publishAsync(own("data"), payload, { qos: 0 });
      await Bun.sleep(20);
      agent.stream.destroy();
      await end;
    }
    await until(() => (embedded.counts().dropped.get("flood") ?? 0) > 0);
  });

  test("who asks without end is disconnected", async () => {
    await begin();
    const agent = await enter(agentLogin("a", fleet));
    const end = closed(agent);
    agent.stream.write(Buffer.from(new Array(5000).fill([0xc0, 0]).flat()));
    await end;
    expect(embedded.counts().dropped.get("flood")).toBe(1);
  });

  test("a subscriber that does not read is disconnected, and holds up nobody meanwhile", async () => {
    await begin({ maxBufferedBytes: 100_000, messagesPerS: 100_000, bytesPerS: 2 ** 31 });
    const deaf = await enter(agentLogin("deaf", fleet));
    await deaf.subscribeAsync(agentTopic(fleet, "+", "presence"), { qos: 1 });
    const end = closed(deaf);
    (deaf.stream as unknown as Socket).pause();
    const agent = await enter(agentLogin("a", fleet));
    const text = "x".repeat(30_000);
    // What the machine's own socket buffers take comes first.
    for (let i = 0; !embedded.counts().dropped.has("slow-reader"); i += 1) {
      expect(i).toBeLessThan(2000);
      await agent.publishAsync(own("presence"), text, { qos: 1, retain: true });
    }
    (deaf.stream as unknown as Socket).resume();
    await end;
    expect(await tryPublish(agent, own("data"))).toBe("acknowledged");
  });
});
