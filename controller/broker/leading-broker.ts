import type { Broker } from "#protocol/broker.ts";
import { NotLeadingError } from "../store/postgres/not-leading.ts";

/**
 * A broker at which a controller is heard only while it leads: what it published after it lost the lease would be retained in the place of what the next
 * one says.
 */
export function whileLeading(broker: Broker, isLeading: () => boolean): Broker {
  return {
    start: () => broker.start(),
    stop: () => broker.stop(),
    get connected() {
      return broker.connected;
    },
    publish: (topic, payload, options) =>
      isLeading() ? broker.publish(topic, payload, options) : Promise.reject(new NotLeadingError()),
    subscribe: (filter, handler) => broker.subscribe(filter, handler),
    unsubscribe: (filter) => broker.unsubscribe(filter),
    onConnection: (listener) => broker.onConnection(listener),
  };
}

/** A broker that a controller which is on standby listens at: it says nothing, and those who wait for its answer ask the leading one. */
export function listenOnly(broker: Broker): Broker {
  return {
    start: () => broker.start(),
    stop: () => broker.stop(),
    get connected() {
      return broker.connected;
    },
    publish: async () => undefined,
    subscribe: (filter, handler) => broker.subscribe(filter, handler),
    unsubscribe: (filter) => broker.unsubscribe(filter),
    onConnection: (listener) => broker.onConnection(listener),
  };
}

/** Stands for a broker that can't be reached, such as the one inside the leading controller. */
export const noBroker: Broker = {
  async start() {},
  async stop() {},
  connected: false,
  publish: async () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  onConnection: (listener) => listener(false),
};
