import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { describeError, ServiceError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage, LastWill, MessageHandler, PublishOptions } from "./broker.ts";
import { matchesFilter } from "./topics.ts";

export interface BrokerCredentials {
  readonly username?: string;
  readonly password?: string;
}

export interface MqttBrokerOptions {
  /** mqtt://host:port or mqtts://host:port */
  readonly url: string;
  readonly clientId: string;
  /** Published by the broker (QoS 1, retained) when the connection ends without a disconnect. */
  readonly will?: LastWill;
  /** Called before each attempt to connect: a secret may become known later, or change. */
  readonly credentials?: () => BrokerCredentials;
  /** Advice for the log when the broker does not admit this client. */
  readonly refusedAdvice?: string;
  /** false: the broker keeps messages for this client id while it is disconnected. Default true. */
  readonly cleanSession?: boolean;
  /** After this long without a sign of life the broker publishes the will. Default 15 s. */
  readonly keepAliveS?: number;
}

const acknowledgementTimeoutMs = 10_000;
const minReconnectDelayMs = 500;
const maxReconnectDelayMs = 30_000;

/**
 * Delay before the next attempt to connect: doubling from 0.5 s to 30 s, spread over ±50 % so that a fleet does not come back in one instant.
 * @param failedAttempts attempts that failed in a row; 0 right after a connection.
 * @param random 0..1
 */
export function reconnectDelayMs(failedAttempts: number, random: number): number {
  const exponential = Math.min(maxReconnectDelayMs, minReconnectDelayMs * 2 ** Math.min(failedAttempts, 10));
  return exponential * (0.5 + random);
}

/** The {@link Broker} port over mqtt.js, speaking MQTT 3.1.1, which every broker understands. */
export class MqttBroker implements Broker {
  readonly #options: MqttBrokerOptions;
  readonly #log: Logger;
  readonly #shownUrl: string;
  readonly #handlers = new Map<string, MessageHandler>();
  readonly #listeners: ((connected: boolean) => void)[] = [];
  /** Rejecters of publishes that wait for their acknowledgement. */
  readonly #unacknowledged = new Set<(error: ServiceError) => void>();
  #client: MqttClient | undefined;
  #isReady = false;
  #failedAttempts = 0;
  #lastFailure = "";

  constructor(options: MqttBrokerOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#shownUrl = redactUrl(options.url);
  }

  get connected(): boolean {
    return this.#isReady;
  }

  /** Reason why it is not connected, if known; null while it is. */
  get problem(): string | null {
    return this.#isReady || this.#lastFailure === "" ? null : this.#lastFailure;
  }

  async start(): Promise<void> {
    if (this.#client !== undefined) throw new Error("the broker connection was started twice. This is a bug.");
    const { url, clientId, will, credentials, refusedAdvice, cleanSession, keepAliveS } = this.#options;
    const settings: IClientOptions = {
      clientId,
      clean: cleanSession ?? true,
      keepalive: keepAliveS ?? 15,
      protocolVersion: 4,
      reconnectPeriod: reconnectDelayMs(0, Math.random()),
      reconnectOnConnackError: true,
      resubscribe: false,
      queueQoSZero: false,
      connectTimeout: 10_000,
      ...credentials?.(),
    };
    if (will !== undefined) settings.will = { ...will, payload: Buffer.from(will.payload), qos: 1, retain: true };
    const client = connect(url, settings);
    this.#client = client;
    client.on("connect", () => void this.#onConnect(client));
    client.on("close", () => this.#onClose(client));
    client.on("reconnect", () => {
      if (credentials === undefined) return;
      Object.assign(client.options, { username: undefined, password: undefined }, credentials());
    });
    client.on("error", (error) => {
      const { code } = error as { code?: unknown };
      this.#lastFailure = describeError(error) || String(code ?? "unknown");
      // 4 and 5: bad user name or password, not authorised.
      if ((code === 4 || code === 5) && refusedAdvice !== undefined) this.#lastFailure += `: ${refusedAdvice}`;
    });
    client.handleMessage = (packet, acknowledge) => {
      const { topic, payload, retain } = packet;
      const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
      this.#deliver({ topic, payload: bytes, retained: retain }).then(
        () => acknowledge(),
        (error) => {
          // Not acknowledged: a broker that keeps the session delivers it again on the next connection.
          this.#log.error({ topic, err: describeError(error) }, "a message could not be handled; reconnecting");
          client.stream.destroy();
          acknowledge(error as Error);
        },
      );
    };
  }

  async stop(): Promise<void> {
    const stopping = this.#client;
    this.#client = undefined;
    if (stopping === undefined) return;
    this.#rejectUnacknowledged("the broker connection is being closed");
    await stopping.endAsync(!this.#isReady);
    this.#setReady(false);
  }

  publish(topic: string, payload: string, { retain, qos = 1 }: PublishOptions): Promise<void> {
    const client = this.#client;
    const unavailable = (reason: string, cause?: Error) =>
      new ServiceError("BROKER_UNAVAILABLE", reason, cause === undefined ? {} : { cause });
    if (client === undefined || !this.#isReady)
      return Promise.reject(unavailable(`not connected to the broker ${this.#shownUrl}`));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(unavailable(`no acknowledgement within ${acknowledgementTimeoutMs / 1000} s`)),
      acknowledgementTimeoutMs,
    );
    this.#unacknowledged.add(reject);
    client.publish(topic, payload, { qos, retain }, (error) => {
      if (error) reject(unavailable("publishing failed", error));
      else resolve();
    });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#unacknowledged.delete(reject);
    });
  }

  subscribe(filter: string, handler: MessageHandler): void {
    if (this.#handlers.has(filter)) throw new Error(`${filter} has a handler already. This is a bug.`);
    this.#handlers.set(filter, handler);
    if (this.#isReady) this.#client?.subscribe(filter, { qos: 1 });
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
    listener(this.#isReady);
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    for (const listener of this.#listeners) listener(isReady);
  }

  #rejectUnacknowledged(reason: string): void {
    for (const reject of this.#unacknowledged) reject(new ServiceError("BROKER_UNAVAILABLE", reason));
    this.#unacknowledged.clear();
  }

  async #onConnect(client: MqttClient): Promise<void> {
    try {
      if (this.#handlers.size > 0) {
        const granted = await client.subscribeAsync([...this.#handlers.keys()], { qos: 1 });
        const refused = granted.filter((grant) => grant.qos > 2).map((grant) => grant.topic);
        if (refused.length > 0)
          this.#log.error({ refused }, "the broker refuses subscriptions; check its access rules");
      }
    } catch (error) {
      // The connection ended while subscribing; the next one subscribes anew.
      this.#log.debug({ err: describeError(error) }, "subscribing failed");
      return;
    }
    this.#failedAttempts = 0;
    client.options.reconnectPeriod = reconnectDelayMs(0, Math.random());
    this.#log.info({ broker: this.#shownUrl }, "connected to the broker");
    this.#setReady(true);
  }

  #onClose(client: MqttClient): void {
    const wasReady = this.#isReady;
    this.#setReady(false);
    this.#rejectUnacknowledged(`the connection to the broker ${this.#shownUrl} was lost`);
    this.#failedAttempts += 1;
    const delayMs = reconnectDelayMs(this.#failedAttempts, Math.random());
    client.options.reconnectPeriod = delayMs;
    if (client.disconnecting) return;
    const attempt = this.#failedAttempts;
    // Each lost connection, then the 1st, 2nd, 4th, 8th … failed attempt: enough to notice, not a flood.
    if (wasReady || (attempt & (attempt - 1)) === 0) {
      this.#log.warn(
        { broker: this.#shownUrl, attempt, retryInMs: Math.round(delayMs), err: this.#lastFailure },
        wasReady ? "lost the broker" : "not connected to the broker; serving goes on without it",
      );
    }
  }

  async #deliver(message: BrokerMessage): Promise<void> {
    for (const [filter, handler] of this.#handlers) if (matchesFilter(filter, message.topic)) await handler(message);
  }
}
