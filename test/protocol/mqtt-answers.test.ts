import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { Aedes } from "aedes";
import pino from "pino";
import type { MqttBrokerOptions } from "#protocol/mqtt/mqtt-broker-options.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { createMosquitto, type Mosquitto, type MosquittoAccess } from "../fakes/mosquitto.ts";
import { answerUsually, type BrokerTurn, createScriptedBroker, type ScriptedBroker } from "../fakes/scripted-broker.ts";
import { untilConnected } from "./broker-contract.ts";

const silent = pino({ level: "silent" });
const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.stop();
});

async function client(url: string, options: Partial<MqttBrokerOptions> = {}): Promise<MqttBroker> {
  const broker = new MqttBroker({ url, clientId: "subject", ...options }, silent);
  opened.push(broker);
  await broker.start();
  return broker;
}
async function connected(url: string, options: Partial<MqttBrokerOptions> = {}): Promise<MqttBroker> {
  const broker = await client(url, options);
  await untilConnected(broker);
  return broker;
}
async function scripted(turn: (turn: BrokerTurn) => void): Promise<ScriptedBroker> {
  const broker = await createScriptedBroker(turn);
  opened.push(broker);
  return broker;
}
async function mosquitto(access?: MosquittoAccess | string, more: readonly string[] = []): Promise<Mosquitto> {
  const broker = await createMosquitto(access, more);
  opened.push({ stop: () => broker.dispose() });
  return broker;
}
async function eventually<T>(look: () => T, isDone: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = look();
    if (isDone(value)) return value;
    await Bun.sleep(10);
  }
}
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error) => ({ code: error.code, message: error.message }),
  );
const plain = { retain: false };

describe("version", () => {
  test("is 5 at Mosquitto, and 3.1.1 at a broker that refuses 5", async () => {
    const modern = await connected((await mosquitto()).url);
    const aedes = await Aedes.createBroker();
    const server = createServer(aedes.handle);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    opened.push({
      async stop() {
        await new Promise<void>((resolve) => aedes.close(resolve));
        await new Promise((resolve) => server.close(resolve));
      },
    });
    const old = await connected(`mqtt://127.0.0.1:${(server.address() as { port: number }).port}`);
    expect([modern.protocol, old.protocol]).toEqual(["5", "3.1.1"]);
    await old.publish("a", "b", plain);
    await old.stop();
    expect(old.protocol).toBeNull();
  });

  test.each<[string, number[], Partial<BrokerTurn["packet"]> | null]>([
    ["refuses 5 by its code", [5, 4, 4], { reasonCode: 0x84 } as never],
    ["refuses 5 by that of 3.1.1", [5, 4, 4], { reasonCode: 1 } as never],
    ["hangs up at 5", [5, 4, 5, 4], null],
  ])("a broker that %s gets 3.1.1, and 5 again only as it may help", async (_, versions, connack) => {
    let accepted = 0;
    const broker = await scripted((turn) => {
      const isNew = turn.connect.protocolVersion === 5;
      if (isNew && connack === null) return turn.hangUp();
      answerUsually(turn, isNew ? (connack as never) : {});
      if (turn.packet.cmd !== "connect" || isNew) return;
      accepted += 1;
      // The first accepted connection is lost: how does the next one begin?
      if (accepted === 1) turn.hangUp();
    });
    await connected(broker.url);
    await eventually(
      () => accepted,
      (count) => count === 2,
    );
    expect(broker.versions).toEqual(versions);
  });
});

describe("reason codes", () => {
  test("a publish that the broker forbids fails, is named, and is forgotten once it is allowed", async () => {
    let code = 0x87;
    const broker = await scripted((turn) => {
      if (turn.packet.cmd === "publish" && turn.packet.topic === "t/data")
        turn.send({ cmd: "puback", messageId: turn.packet.messageId ?? 0, reasonCode: code });
      else answerUsually(turn);
    });
    const subject = await connected(broker.url);
    expect(await failure(subject.publish("t/data", "x", plain))).toEqual({
      code: "FORBIDDEN",
      message: "the broker does not accept messages on t/data: Not authorized (0x87)",
    });
    await subject.publish("t/other", "x", plain);
    expect(subject.refused).toEqual([{ action: "publish", topic: "t/data", reason: "Not authorized (0x87)" }]);
    expect(subject.connected).toBe(true);
    code = 0;
    await subject.publish("t/data", "x", plain);
    expect(subject.refused).toEqual([]);
    code = 0x10;
    await subject.publish("t/data", "x", plain);
    expect(await failure(subject.publish("t/data", "x", { retain: false, needsReader: true }))).toEqual({
      code: "BROKER_UNAVAILABLE",
      message: "nobody is subscribed to t/data",
    });
  });

  test("Mosquitto's rules are noticed at each topic", async () => {
    const { url } = await mosquitto("topic write ok/#\ntopic read #\n");
    const subject = await connected(url);
    await subject.publish("ok/a", "x", plain);
    for (const topic of ["no/a", "no/b"])
      expect((await failure(subject.publish(topic, "x", { retain: topic === "no/b" })))?.code).toBe("FORBIDDEN");
    expect(subject.refused.map(({ topic }) => topic)).toEqual(["no/a", "no/b"]);
  });

  test("a message above Mosquitto's message_size_limit is named by its topic, and the connection stays", async () => {
    const { url } = await mosquitto(undefined, ["message_size_limit 20"]);
    const subject = await connected(url);
    expect(await failure(subject.publish("t/data", "x".repeat(21), plain))).toEqual({
      code: "FORBIDDEN",
      message: "the broker does not accept messages on t/data: Packet too large (0x95)",
    });
    expect([subject.connected, subject.problem]).toEqual([true, null]);
    await subject.publish("t/data", "x".repeat(20), plain);
    expect(subject.refused).toEqual([]);
  });

  test.each([0x80, 0x81, 0x88, 0x95, 0x96, 0x9f, 0xa2])("a failure of any code (%d) is an answer", async (code) => {
    const broker = await scripted((turn) => {
      const { packet, send } = turn;
      if (packet.cmd === "publish" && packet.topic === "t/data")
        send({ cmd: "puback", messageId: packet.messageId ?? 0, reasonCode: code });
      else if (packet.cmd === "subscribe")
        send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => code) });
      else answerUsually(turn);
    });
    const subject = await connected(broker.url);
    subject.subscribe("t/read", () => undefined);
    expect((await failure(subject.publish("t/data", "x", plain)))?.code).toBe("FORBIDDEN");
    await eventually(
      () => subject.refused,
      ({ length }) => length === 2,
    );
    expect(subject.refused.map(({ topic }) => topic).toSorted()).toEqual(["t/data", "t/read"]);
    expect([subject.connected, broker.versions]).toEqual([true, [5]]);
  });

  test.each([5, 4])("one refused subscription leaves the others in force (MQTT version %d)", async (version) => {
    const broker = await scripted((turn) => {
      const { packet, connect, send } = turn;
      if (connect.protocolVersion !== version) return turn.hangUp();
      if (packet.cmd === "subscribe") {
        const granted = packet.subscriptions.map(({ topic }) =>
          topic === "secret" ? (version === 5 ? 0x87 : 0x80) : 1,
        );
        send({ cmd: "suback", messageId: packet.messageId ?? 0, granted });
        send({ cmd: "publish", topic: "open", payload: "hello", qos: 0, retain: false, dup: false });
      } else answerUsually(turn);
    });
    const subject = new MqttBroker({ url: broker.url, clientId: "subject" }, silent);
    opened.push(subject);
    const heard = new Promise<string>((resolve) =>
      subject.subscribe("open", ({ payload }) => resolve(new TextDecoder().decode(payload))),
    );
    subject.subscribe("secret", () => undefined);
    await subject.start();
    await untilConnected(subject);
    expect(await heard).toBe("hello");
    expect(subject.refused.map(({ action, topic }) => [action, topic])).toEqual([["subscribe", "secret"]]);
    subject.unsubscribe("secret");
    expect(subject.refused).toEqual([]);
  });

  test("a login that is refused is told with the advice, in either version", async () => {
    for (const version of [5, 4]) {
      const broker = await scripted((turn) => {
        const isRight = turn.connect.protocolVersion === version;
        if (!isRight) return turn.hangUp();
        answerUsually(turn, version === 5 ? { reasonCode: 0x87 } : { returnCode: 5 });
      });
      const subject = await client(broker.url, { refusedAdvice: "get a password" });
      await eventually(
        () => subject.problem ?? "",
        (text) => /not authorized.*: get a password/i.test(text),
      );
    }
  });

  test("no more publishes wait for their acknowledgement than the broker allows", async () => {
    let open = 0;
    let max = 0;
    const broker = await scripted((turn) => {
      if (turn.packet.cmd !== "publish") return answerUsually(turn, { properties: { receiveMaximum: 2 } });
      open += 1;
      max = Math.max(max, open);
      setTimeout(() => {
        open -= 1;
        answerUsually(turn);
      }, 5);
    });
    const subject = await connected(broker.url);
    await Promise.all(Array.from({ length: 10 }, (_, index) => subject.publish(`t/${index}`, "x", plain)));
    expect(max).toBe(2);
  });
});

describe("size", () => {
  test("what is over the announced limit is not sent, and named with its size", async () => {
    const { url } = await mosquitto(undefined, ["max_packet_size 2000"]);
    const subject = await connected(url);
    const refused = await failure(subject.publish("t/birth", "x".repeat(3000), plain));
    expect(refused?.code).toBe("PAYLOAD_TOO_LARGE");
    expect(refused?.message).toContain("t/birth: 3015 bytes, but the broker accepts at most 2000");
    await subject.publish("t/birth", "x".repeat(1980), plain);
    expect([subject.connected, subject.refused]).toEqual([true, []]);
  });

  test("a broker that hangs up at a large packet: topic and size are told, and what follows is not held up", async () => {
    const broker = await scripted((turn) => {
      if (turn.connect.protocolVersion === 5) return answerUsually(turn, { reasonCode: 0x84 });
      if (turn.packet.cmd === "publish" && turn.bytes > 10_000) turn.hangUp();
      else answerUsually(turn);
    });
    const subject = await connected(broker.url);
    const large = "x".repeat(20_000);
    for (const _ of [1, 2]) {
      expect((await failure(subject.publish("t/data", large, plain)))?.code).toBe("BROKER_UNAVAILABLE");
      expect(subject.problem).toContain("while 20015 bytes were being sent to t/data");
      await untilConnected(subject);
    }
    expect(await failure(subject.publish("t/data", large, plain))).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await subject.publish("t/data", "small", plain);
    expect(subject.connected).toBe(true);
  });
});

describe("two clients of one id", () => {
  const advice = { takenOverAdvice: "give one another id" };

  test("are told so where the broker says it", async () => {
    const broker = await scripted((turn) => {
      answerUsually(turn);
      if (turn.packet.cmd !== "connect") return;
      turn.send({ cmd: "disconnect", reasonCode: 0x8e });
      setTimeout(turn.hangUp, 5);
    });
    const subject = await client(broker.url, advice);
    const told = await eventually(
      () => subject.problem ?? "",
      (text) => text !== "",
    );
    expect(told).toContain("another client connected as subject and replaced this one");
    expect(told).toContain("Session taken over (0x8e)): give one another id");
  });

  test("are inferred where the broker is silent, as Mosquitto is, and both know it while they are connected, too", async () => {
    const { url } = await mosquitto();
    const both = [await connected(url, advice), await connected(url, advice)];
    for (const each of both)
      await eventually(
        () => (each.connected ? (each.problem ?? "") : ""),
        (text) => /probably another client connected as subject.*: give one another id/.test(text),
      );
  });

  test("are inferred at a broker of 3.1.1 that only hangs up, and never from one that is away", async () => {
    const broker = await scripted((turn) => {
      if (turn.connect.protocolVersion === 5) return answerUsually(turn, { reasonCode: 0x84 });
      answerUsually(turn);
      if (turn.packet.cmd === "connect") setTimeout(turn.hangUp, 5);
    });
    const subject = await client(broker.url, advice);
    const told = await eventually(
      () => subject.problem ?? "",
      (text) => text.includes("probably another client"),
    );
    expect(told).toContain("give one another id");
    expect(broker.versions.filter((version) => version === 4).length).toBeGreaterThanOrEqual(3);
  });
});

describe("own message", () => {
  /** Delivers to subscribers, but on the first `deaf` connections to nobody. */
  const forgetful = (deaf: number) =>
    scripted((turn) => {
      answerUsually(turn);
      const { packet, connection, send } = turn;
      if (packet.cmd !== "publish" || connection <= deaf) return;
      send({ cmd: "publish", topic: packet.topic, payload: packet.payload, qos: 0, retain: false, dup: false });
    });
  const own = { echoTopic: "me/presence", echoWaitMs: 40 };

  async function speaking(url: string): Promise<{ broker: MqttBroker; connections: () => number }> {
    const broker = new MqttBroker({ url, clientId: "subject", ...own }, silent);
    opened.push(broker);
    let connections = 0;
    broker.subscribe("me/presence", () => undefined);
    broker.onConnection((isConnected) => {
      if (!isConnected) return;
      connections += 1;
      void broker.publish("me/presence", `here ${connections}`, plain).catch(() => undefined);
    });
    await broker.start();
    return { broker, connections: () => connections };
  }

  test("that does not come back renews the session; once it does, all is well", async () => {
    const { url, received } = await forgetful(1);
    const { broker, connections } = await speaking(url);
    await eventually(
      () => broker.problem ?? "",
      (text) => text.includes("did not come back"),
    );
    await eventually(
      () => [connections(), broker.problem] as const,
      ([count, problem]) => count === 2 && problem === null,
    );
    expect(received.filter(({ cmd }) => cmd === "subscribe")).toHaveLength(2);
  });

  test("that never comes back is told, and the connection is kept in the end", async () => {
    const { url, versions } = await forgetful(1000);
    const { broker } = await speaking(url);
    await eventually(
      () => versions.length,
      (count) => count === 4,
    );
    await untilConnected(broker);
    await eventually(
      () => broker.problem ?? "",
      (text) => broker.connected && text.includes("subscriptions are not served"),
    );
    await Bun.sleep(800);
    expect([versions.length, broker.connected]).toEqual([4, true]);
  });
});
