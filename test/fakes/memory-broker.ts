import { ServiceError } from "#platform/errors.ts";
import type { Broker, BrokerMessage, MessageHandler } from "#protocol/broker.ts";
import { matchesFilter } from "#protocol/topics.ts";

export interface RecordingBroker extends Broker {
  readonly published: { topic: string; payload: string; retain: boolean; qos?: 0 | 1 }[];
  /** Fails the next `count` publishes. */
  failNextPublishes(count: number): void;
  setConnected(connected: boolean): void;
  /** Delivers a message as the broker would. */
  inject(topic: string, message: unknown, retained?: boolean): Promise<void>;
}

/** Broker in memory that records publishes and fails as scripted. */
export function createRecordingBroker(): RecordingBroker {
  const handlers = new Map<string, MessageHandler>();
  const listeners: ((connected: boolean) => void)[] = [];
  const published: RecordingBroker["published"] = [];
  let connected = false;
  let failures = 0;
  return {
    published,
    get connected() {
      return connected;
    },
    start: async () => {},
    stop: async () => {},
    async publish(topic, payload, options) {
      await Promise.resolve();
      if (!connected) throw new ServiceError("BROKER_UNAVAILABLE", "not connected");
      if (failures > 0) {
        failures -= 1;
        throw new ServiceError("BROKER_UNAVAILABLE", "scripted failure");
      }
      published.push({ topic, payload, ...options });
    },
    subscribe(filter, handler) {
      handlers.set(filter, handler);
    },
    unsubscribe(filter) {
      handlers.delete(filter);
    },
    onConnection(listener) {
      listeners.push(listener);
      listener(connected);
    },
    failNextPublishes(count) {
      failures = count;
    },
    setConnected(value) {
      connected = value;
      for (const listener of listeners) listener(value);
    },
    async inject(topic, value, retained = false) {
      const payload = typeof value === "string" ? value : JSON.stringify(value);
      const message: BrokerMessage = { topic, payload: new TextEncoder().encode(payload), retained };
      for (const [filter, handler] of handlers) if (matchesFilter(filter, topic)) await handler(message);
    },
  };
}
