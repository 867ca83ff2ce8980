import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import { Aedes } from "aedes";
import pino from "pino";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { freePort } from "../fakes/free-port.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { type BrokerUnderTest, collect, describeBroker, untilConnected } from "./broker-contract.ts";

const silent = pino({ level: "silent" });

async function clientsOf(url: string): Promise<BrokerUnderTest> {
  const other = new MqttBroker({ url, clientId: "other" }, silent);
  await other.start();
  await untilConnected(other);
  return { broker: new MqttBroker({ url, clientId: "subject" }, silent), other, stop: () => other.stop() };
}

describeBroker("mqtt.js with aedes", async () => {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const clients = await clientsOf(`mqtt://127.0.0.1:${port}`);
  return {
    ...clients,
    async stop() {
      await clients.stop();
      await new Promise<void>((resolve) => aedes.close(resolve));
      await new Promise((resolve) => server.close(resolve));
    },
  };
});

let mosquitto: Mosquitto;
beforeAll(async () => {
  mosquitto = await createMosquitto();
});
afterAll(() => mosquitto.dispose());

let round = 0;
describeBroker("mqtt.js with Mosquitto", async () => {
  // Retained messages outlive a test: each takes a broker of its own.
  if (round++ > 0) {
    await mosquitto.stop();
    await mosquitto.start();
  }
  return clientsOf(mosquitto.url);
});

test("comes back by itself after the broker was away, with its subscriptions", async () => {
  const broker = new MqttBroker({ url: mosquitto.url, clientId: "phoenix" }, silent);
  const received = collect(broker, "after/#", 1);
  await broker.start();
  await untilConnected(broker);
  await mosquitto.stop("SIGKILL");
  await untilConnected(broker, false);
  await mosquitto.start();
  await untilConnected(broker);
  await broker.publish("after/x", "back", { retain: false });
  expect(new TextDecoder().decode((await received)[0]?.payload)).toBe("back");
  await broker.stop();
});

test("a handler that fails leaves the message unacknowledged: a kept session gets it again", async () => {
  const broker = new MqttBroker({ url: mosquitto.url, clientId: "careful", cleanSession: false }, silent);
  const deliveries: string[] = [];
  const secondDelivery = new Promise<void>((resolve) => {
    broker.subscribe("once/#", ({ payload }) => {
      deliveries.push(new TextDecoder().decode(payload));
      if (deliveries.length === 1) throw new Error("disk full");
      resolve();
    });
  });
  await broker.start();
  await untilConnected(broker);
  const sender = new MqttBroker({ url: mosquitto.url, clientId: "sender" }, silent);
  await sender.start();
  await untilConnected(sender);
  await sender.publish("once/x", "precious", { retain: false });
  await secondDelivery;
  expect(deliveries).toEqual(["precious", "precious"]);
  await sender.stop();
  await broker.stop();
});

test("the last will goes out when the connection breaks, not when leave is taken", async () => {
  const watcher = new MqttBroker({ url: mosquitto.url, clientId: "watcher" }, silent);
  const wills = collect(watcher, "will/+", 1);
  await watcher.start();
  await untilConnected(watcher);
  const polite = new MqttBroker(
    { url: mosquitto.url, clientId: "polite", will: { topic: "will/polite", payload: "x" } },
    silent,
  );
  await polite.start();
  await untilConnected(polite);
  await polite.stop();
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { connect } = await import("mqtt"); connect("${mosquitto.url}", { clientId: "rude", will: { topic: "will/rude", payload: "gone", qos: 1, retain: true } }).on("connect", () => console.log("up"));`,
    ],
    { cwd: import.meta.dir, stdout: "pipe", stdin: "ignore" },
  );
  await child.stdout.getReader().read();
  child.kill("SIGKILL");
  const [will] = await wills;
  expect(will?.topic).toBe("will/rude");
  await watcher.stop();
});

test("without a broker it starts, is not connected, and stops at once", async () => {
  const broker = new MqttBroker({ url: `mqtt://127.0.0.1:${await freePort()}`, clientId: "lonely" }, silent);
  await broker.start();
  expect(broker.connected).toBe(false);
  await broker.stop();
});
