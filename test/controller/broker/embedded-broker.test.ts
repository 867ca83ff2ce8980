import { afterEach, describe, expect, test } from "bun:test";
import { createConnection, createServer } from "node:net";
import { connectAsync } from "mqtt";
import pino from "pino";
import { EmbeddedBroker } from "#controller/broker/embedded-broker.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { brokerLimits, openAccess } from "../../fakes/broker-clients.ts";
import { describeBroker, untilConnected } from "../../protocol/broker-contract.ts";

const silent = pino({ level: "silent" });
/** These are of the broker as such, whoever its clients are. */
const loopback = { host: "127.0.0.1", port: 0, access: openAccess, limits: brokerLimits() };

describeBroker("embedded, in process", async () => {
  const embedded = new EmbeddedBroker(loopback, silent);
  const port = await embedded.listen();
  const other = new MqttBroker({ url: `mqtt://127.0.0.1:${port}`, clientId: "other" }, silent);
  await other.start();
  await untilConnected(other);
  return {
    broker: embedded.broker,
    other,
    async stop() {
      await other.stop();
      await embedded.close();
    },
  };
});

describe("embedded broker", () => {
  let embedded: EmbeddedBroker | undefined;
  afterEach(async () => {
    await embedded?.broker.stop();
    await embedded?.close();
    embedded = undefined;
  });
  const begin = async (handler: (topic: string, payload: string) => Promise<void> | void) => {
    embedded = new EmbeddedBroker(loopback, silent);
    embedded.broker.subscribe("t/#", ({ topic, payload }) => handler(topic, new TextDecoder().decode(payload)));
    await embedded.broker.start();
    return `mqtt://127.0.0.1:${await embedded.listen()}`;
  };

  test("tells who listens that it is there once, and once that it is not", async () => {
    await begin(() => undefined);
    const told: boolean[] = [];
    embedded?.broker.onConnection((connected) => void told.push(connected));
    await embedded?.broker.start();
    await embedded?.broker.stop();
    await embedded?.broker.stop();
    expect(told).toEqual([true, false]);
  });

  test("acknowledges a QoS 1 message only once it was handled", async () => {
    const stored = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const url = await begin(() => {
      arrived.resolve();
      return stored.promise;
    });
    const client = await connectAsync(url);
    let acknowledged = false;
    const published = client.publishAsync("t/x", "1", { qos: 1 }).then(() => {
      acknowledged = true;
    });
    await arrived.promise;
    // A full round trip on another connection: the broker is idle but for the message that is held.
    const probe = await connectAsync(url);
    await probe.subscribeAsync("elsewhere");
    expect(acknowledged).toBe(false);
    stored.resolve();
    await published;
    await client.endAsync();
    await probe.endAsync();
  });

  test("a message that can't be handled is not acknowledged and comes again", async () => {
    let attempts = 0;
    const url = await begin(() => {
      attempts += 1;
      if (attempts === 1) throw new Error("disk full");
    });
    const client = await connectAsync(url, { reconnectPeriod: 20 });
    client.on("error", () => undefined);
    await client.publishAsync("t/x", "precious", { qos: 1 });
    expect(attempts).toBe(2);
    await client.endAsync();
  });

  test("messages are handled in order, one at a time", async () => {
    const log: string[] = [];
    const url = await begin(async (_topic, payload) => {
      log.push(`begin ${payload}`);
      await Bun.sleep(1);
      log.push(`end ${payload}`);
    });
    const client = await connectAsync(url);
    await Promise.all(["a", "b", "c"].map((payload) => client.publishAsync("t/x", payload, { qos: 1 })));
    expect(log).toEqual(["begin a", "end a", "begin b", "end b", "begin c", "end c"]);
    await client.endAsync();
  });

  test("a last will reaches the handler", async () => {
    const will = Promise.withResolvers<string>();
    const url = await begin((topic, payload) => will.resolve(`${topic} ${payload}`));
    const client = await connectAsync(url, {
      will: { topic: "t/gone", payload: Buffer.from("bye"), qos: 1, retain: true },
      reconnectPeriod: 0,
    });
    client.stream.destroy();
    expect(await will.promise).toBe("t/gone bye");
  });

  test("a client that announces a huge packet loses its connection; others don't notice", async () => {
    const received: string[] = [];
    const url = await begin((_topic, payload) => void received.push(payload.slice(0, 10)));
    const bystander = await connectAsync(url);
    const client = await connectAsync(url, { reconnectPeriod: 0 });
    client.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.publish("t/x", Buffer.alloc(1_000_000), { qos: 0 });
    await closed;
    await bystander.publishAsync("t/x", "fine", { qos: 1 });
    expect(received).toEqual(["fine"]);
    await bystander.endAsync();
  });

  test("garbage instead of MQTT is survived", async () => {
    const received: string[] = [];
    const url = await begin((_topic, payload) => void received.push(payload));
    const socket = createConnection(Number(new URL(url).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await closed;
    const client = await connectAsync(url);
    await client.publishAsync("t/x", "alive", { qos: 1 });
    expect(received).toEqual(["alive"]);
    await client.endAsync();
  });

  test("a port in use is named", async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
    const { port } = occupant.address() as { port: number };
    embedded = new EmbeddedBroker({ ...loopback, port }, silent);
    expect(embedded.listen()).rejects.toThrow(new RegExp(`port ${port} on 127.0.0.1 is in use`));
    await new Promise((resolve) => occupant.close(resolve));
  });
});
