export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

/**
 * Handles a message, which is acknowledged to the broker when the promise resolves: what must not be lost is stored before that.
 * Messages are handled one after another: a handler must not wait for a publish of its own.
 */
export type MessageHandler = (message: BrokerMessage) => Promise<void> | void;

export interface PublishOptions {
  readonly retain: boolean;
  readonly qos?: 0 | 1;
  /** true: it fails when the broker says that nobody is subscribed to the topic. */
  readonly needsReader?: boolean;
}

/** Port to an MQTT broker, as agents and controller use it. */
export interface Broker {
  /** Begins to connect and keeps trying; resolves at once. */
  start(): Promise<void>;
  /** Disconnects in order: the last will is not sent. */
  stop(): Promise<void>;
  readonly connected: boolean;
  /**
   * Sends; resolves when the broker has acknowledged, at `qos` 0 when it is written to the connection. Rejects with BROKER_UNAVAILABLE when it
   * can't right now, with FORBIDDEN when the broker does not allow it, with PAYLOAD_TOO_LARGE when it is more than the broker takes: nothing is
   * queued. Default: QoS 1.
   */
  publish(topic: string, payload: string, options: PublishOptions): Promise<void>;
  /** Subscribes at QoS 1, now and after every reconnect. One handler per filter. */
  subscribe(filter: string, handler: MessageHandler): void;
  /** Ends a subscription; messages that are under way may still arrive at other handlers. */
  unsubscribe(filter: string): void;
  /** Calls `listener` on every change, and once with the present state. */
  onConnection(listener: (connected: boolean) => void): void;
}

export interface LastWill {
  readonly topic: string;
  readonly payload: string;
}
