import { expect, test } from "bun:test";
import { createLogger } from "#platform/log.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { createMosquitto } from "../fakes/mosquitto.ts";

test("a subscription that a retained message asks for is made, though it comes before the broker's answer", async () => {
  const mosquitto = await createMosquitto();
  const log = createLogger("test", "silent");
  const speaker = new MqttBroker({ url: mosquitto.url, clientId: "speaker" }, log);
  const listener = new MqttBroker({ url: mosquitto.url, clientId: "listener" }, log);
  try {
    const ready = Promise.withResolvers<void>();
    speaker.onConnection((connected) => connected && ready.resolve());
    await speaker.start();
    await ready.promise;
    for (const topic of ["first", "second"]) await speaker.publish(topic, "x", { retain: true });
    const second = Promise.withResolvers<void>();
    const admitted = Promise.withResolvers<void>();
    listener.onConnection((connected) => connected && admitted.resolve());
    listener.subscribe("first", () => listener.subscribe("second", () => second.resolve()));
    await listener.start();
    await second.promise;
    // The message may come before the broker's word that it has subscribed us.
    await admitted.promise;
    expect(listener.connected).toBe(true);
  } finally {
    await Promise.all([speaker.stop(), listener.stop()]);
    await mosquitto.dispose();
  }
});
