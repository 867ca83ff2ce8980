export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

/**
 * A message is acknowledged to the broker when the promise resolves, so what must not be lost is stored before that.
 * Messages are handled one after another: a handler that waits for a publish of its own would wait for ever.
 */
export type MessageHandler = (message: BrokerMessage) => Promise<void> | void;

/** What agents and controller need of an MQTT broker. */
export interface Broker {
  /** Begins connecting and goes on trying for ever; resolves at once. */
  start(): Promise<void>;
  /** Takes leave in order: the last will is not sent. */
  stop(): Promise<void>;
  readonly connected: boolean;
  /** Sends at QoS 1; resolves when the broker has acknowledged. Rejects with BROKER_UNAVAILABLE when it can't right now: nothing is queued. */
  publish(topic: string, payload: string, options: { retain: boolean }): Promise<void>;
  /** Subscribes at QoS 1, now and after every reconnect. One handler a filter. */
  subscribe(filter: string, handler: MessageHandler): void;
  /** `listener` is called on every change, and once with the present state. */
  onConnection(listener: (connected: boolean) => void): void;
}

export interface LastWill {
  readonly topic: string;
  readonly payload: string;
}
