import { afterEach, describe, expect, test } from "bun:test";
import type { Broker, BrokerMessage } from "#protocol/broker.ts";

export interface BrokerUnderTest {
  /** The adapter under test, not started. */
  readonly broker: Broker;
  /** Another client of the same broker, started and connected. */
  readonly other: Broker;
  stop(): Promise<void>;
}

/** Resolves with the first `count` messages that arrive. */
export function collect(broker: Broker, filter: string, count: number): Promise<BrokerMessage[]> {
  return new Promise((resolve) => {
    const messages: BrokerMessage[] = [];
    broker.subscribe(filter, (message) => {
      messages.push(message);
      if (messages.length === count) resolve(messages);
    });
  });
}

export function untilConnected(broker: Broker, wanted = true): Promise<void> {
  return new Promise((resolve) => {
    broker.onConnection((connected) => {
      if (connected === wanted) resolve();
    });
  });
}

const text = (message: BrokerMessage | undefined) => new TextDecoder().decode(message?.payload);

/** Tests that every adapter of the Broker port passes. */
export function describeBroker(name: string, setUp: () => Promise<BrokerUnderTest>): void {
  describe(`broker contract: ${name}`, () => {
    let running: BrokerUnderTest | undefined;
    afterEach(async () => {
      await running?.broker.stop();
      await running?.stop();
      running = undefined;
    });
    const begin = async () => {
      running = await setUp();
      return running;
    };

    test("delivers what others publish, in order, to a subscription made before the start", async () => {
      const { broker, other } = await begin();
      const received = collect(broker, "t/+/data", 3);
      await broker.start();
      await untilConnected(broker);
      for (const payload of ["one", "two", "три"]) await other.publish("t/a/data", payload, { retain: false });
      expect((await received).map(text)).toEqual(["one", "two", "три"]);
      expect((await received).map((message) => message.topic)).toEqual(["t/a/data", "t/a/data", "t/a/data"]);
    });

    test("what it publishes reaches others, and only under a matching filter", async () => {
      const { broker, other } = await begin();
      const received = collect(other, "u/x", 1);
      // A round trip: an adapter without a network in between could otherwise publish before the subscription has arrived.
      await other.publish("u/z", "subscribed", { retain: false });
      await broker.start();
      await untilConnected(broker);
      await broker.publish("u/y", "not this", { retain: false });
      await broker.publish("u/x", "this", { retain: false });
      expect((await received).map(text)).toEqual(["this"]);
    });

    test("a retained message greets a later subscriber and says that it is retained", async () => {
      const { broker, other } = await begin();
      await other.publish("state/a", "kept", { retain: true });
      const received = collect(broker, "state/#", 1);
      await broker.start();
      const [message] = await received;
      expect(text(message)).toBe("kept");
      expect(message?.retained).toBe(true);
    });

    test("publishing without a connection is refused at once, not queued", async () => {
      const { broker } = await begin();
      expect(broker.connected).toBe(false);
      expect(broker.publish("t", "x", { retain: false })).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    });

    test("tells its listeners of the present state and of every change", async () => {
      const { broker } = await begin();
      const states: boolean[] = [];
      broker.onConnection((connected) => states.push(connected));
      await broker.start();
      await untilConnected(broker);
      expect(broker.connected).toBe(true);
      await broker.stop();
      expect(broker.connected).toBe(false);
      expect(states).toEqual([false, true, false]);
    });
  });
}
