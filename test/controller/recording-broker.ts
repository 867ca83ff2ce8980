import { ServiceError } from "#platform/errors.ts";
import type { Broker, MessageHandler } from "#protocol/broker.ts";
import { matchesFilter } from "#protocol/topics.ts";

export interface Published {
  readonly topic: string;
  readonly message: Record<string, unknown>;
  readonly retain: boolean;
}

/** A broker that writes down what is published and delivers what a test says. */
export interface RecordingBroker extends Broker {
  readonly published: Published[];
  connected: boolean;
  /** Resolves when the handlers have; rejects as a broker that gets no acknowledgement. */
  deliver(topic: string, message: unknown): Promise<void>;
}

export function createRecordingBroker(): RecordingBroker {
  const handlers = new Map<string, MessageHandler>();
  const published: Published[] = [];
  const broker: RecordingBroker = {
    published,
    connected: true,
    async start() {},
    async stop() {},
    async publish(topic, payload, { retain }) {
      if (!broker.connected) throw new ServiceError("BROKER_UNAVAILABLE", "not connected");
      // Nothing clears a retained message.
      published.push({ topic, message: payload === "" ? {} : JSON.parse(payload), retain });
    },
    subscribe(filter, handler) {
      handlers.set(filter, handler);
    },
    unsubscribe(filter) {
      handlers.delete(filter);
    },
    onConnection(listener) {
      listener(broker.connected);
    },
    async deliver(topic, message) {
      const payload =
        message instanceof Uint8Array
          ? message
          : new TextEncoder().encode(typeof message === "string" ? message : JSON.stringify(message));
      for (const [filter, handler] of handlers) {
        if (matchesFilter(filter, topic)) await handler({ topic, payload, retained: false });
      }
    },
  };
  return broker;
}
