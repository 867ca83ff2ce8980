import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { describeError, ServiceError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage, LastWill, MessageHandler } from "./broker.ts";
import { matchesFilter } from "./match-filter.ts";
import { reconnectDelayMs } from "./reconnect-delay.ts";

export interface BrokerCredentials {
  readonly username?: string;
  readonly password?: string;
}

export interface MqttBrokerOptions {
  /** mqtt://host:port or mqtts://host:port */
  readonly url: string;
  readonly clientId: string;
  /** Published by the broker (QoS 1, retained) when the connection ends without leave being taken. */
  readonly will?: LastWill;
  /** Asked before each attempt to connect: a secret may come to be known later, or change. */
  readonly credentials?: () => BrokerCredentials;
  /** Said in the log when the broker does not let this client in. */
  readonly refusedAdvice?: string;
  /** false: the broker keeps messages for this client id while it is away. Default true. */
  readonly cleanSession?: boolean;
  /** After this long without a sign of life the broker publishes the will. Default 15 s. */
  readonly keepAliveS?: number;
}

const acknowledgementTimeoutMs = 10_000;

export interface MqttBroker extends Broker {
  /** Reason why it is not connected, if known; null while it is. */
  readonly problem: string | null;
}

/** The {@link Broker} port over mqtt.js, speaking MQTT 3.1.1, which every broker understands. */
export function createMqttBroker(options: MqttBrokerOptions, log: Logger): MqttBroker {
  const shownUrl = redactUrl(options.url);
  const handlers = new Map<string, MessageHandler>();
  const connectionListeners: ((connected: boolean) => void)[] = [];
  /** Rejecters of publishes that wait for their acknowledgement. */
  const unacknowledged = new Set<(error: ServiceError) => void>();
  let client: MqttClient | undefined;
  let ready = false;
  let failedAttempts = 0;
  let lastFailure = "";

  const setReady = (value: boolean) => {
    if (ready === value) return;
    ready = value;
    for (const listener of connectionListeners) listener(value);
  };

  const rejectUnacknowledged = (reason: string) => {
    for (const reject of unacknowledged) reject(new ServiceError("BROKER_UNAVAILABLE", reason));
    unacknowledged.clear();
  };

  const onConnect = async (connected: MqttClient) => {
    try {
      if (handlers.size > 0) {
        const granted = await connected.subscribeAsync([...handlers.keys()], { qos: 1 });
        const refused = granted.filter((grant) => grant.qos > 2).map((grant) => grant.topic);
        if (refused.length > 0) log.error({ refused }, "the broker refuses subscriptions; check its access rules");
      }
    } catch (error) {
      // The connection went away again while subscribing; the next one subscribes anew.
      log.debug({ err: describeError(error) }, "subscribing failed");
      return;
    }
    failedAttempts = 0;
    connected.options.reconnectPeriod = reconnectDelayMs(0, Math.random());
    log.info({ broker: shownUrl }, "connected to the broker");
    setReady(true);
  };

  const onClose = (closed: MqttClient) => {
    const wasReady = ready;
    setReady(false);
    rejectUnacknowledged(`the connection to the broker ${shownUrl} was lost`);
    failedAttempts += 1;
    const delayMs = reconnectDelayMs(failedAttempts, Math.random());
    closed.options.reconnectPeriod = delayMs;
    if (closed.disconnecting) return;
    // Each lost connection, then the 1st, 2nd, 4th, 8th … failed attempt: enough to say so, not a flood.
    if (wasReady || (failedAttempts & (failedAttempts - 1)) === 0) {
      log.warn(
        { broker: shownUrl, attempt: failedAttempts, retryInMs: Math.round(delayMs), err: lastFailure },
        wasReady ? "lost the broker" : "not connected to the broker; serving goes on without it",
      );
    }
  };

  const deliver = async (message: BrokerMessage) => {
    for (const [filter, handler] of handlers) if (matchesFilter(filter, message.topic)) await handler(message);
  };

  return {
    get connected() {
      return ready;
    },
    get problem() {
      return ready || lastFailure === "" ? null : lastFailure;
    },
    async start() {
      if (client !== undefined) throw new Error("the broker connection was started twice. This is a bug.");
      const settings: IClientOptions = {
        clientId: options.clientId,
        clean: options.cleanSession ?? true,
        keepalive: options.keepAliveS ?? 15,
        protocolVersion: 4,
        reconnectPeriod: reconnectDelayMs(0, Math.random()),
        reconnectOnConnackError: true,
        resubscribe: false,
        queueQoSZero: false,
        connectTimeout: 10_000,
      };
      Object.assign(settings, options.credentials?.());
      if (options.will !== undefined)
        settings.will = { ...options.will, payload: Buffer.from(options.will.payload), qos: 1, retain: true };
      const created = connect(options.url, settings);
      client = created;
      created.on("connect", () => void onConnect(created));
      created.on("close", () => onClose(created));
      created.on("reconnect", () => {
        if (options.credentials === undefined) return;
        Object.assign(created.options, { username: undefined, password: undefined }, options.credentials());
      });
      created.on("error", (error) => {
        const { code } = error as { code?: unknown };
        lastFailure = describeError(error) || String(code ?? "unknown");
        if (code === 4 || code === 5)
          lastFailure += options.refusedAdvice === undefined ? "" : `: ${options.refusedAdvice}`;
      });
      created.handleMessage = (packet, acknowledge) => {
        const { topic, payload, retain } = packet;
        const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
        deliver({ topic, payload: bytes, retained: retain }).then(
          () => acknowledge(),
          (error) => {
            // Not acknowledged: a broker that keeps the session delivers it again on the next connection.
            log.error({ topic, err: describeError(error) }, "a message could not be handled; reconnecting");
            created.stream.destroy();
            acknowledge(error as Error);
          },
        );
      };
    },
    async stop() {
      const stopping = client;
      client = undefined;
      if (stopping === undefined) return;
      rejectUnacknowledged("the broker connection is being closed");
      await stopping.endAsync(!ready);
      setReady(false);
    },
    publish(topic, payload, { retain }) {
      const current = client;
      if (current === undefined || !ready) {
        return Promise.reject(new ServiceError("BROKER_UNAVAILABLE", `not connected to the broker ${shownUrl}`));
      }
      return new Promise((resolve, reject) => {
        const settle = () => {
          clearTimeout(timer);
          unacknowledged.delete(fail);
        };
        const fail = (error: ServiceError) => {
          settle();
          reject(error);
        };
        const timer = setTimeout(
          () =>
            fail(
              new ServiceError("BROKER_UNAVAILABLE", `no acknowledgement within ${acknowledgementTimeoutMs / 1000} s`),
            ),
          acknowledgementTimeoutMs,
        );
        unacknowledged.add(fail);
        current.publish(topic, payload, { qos: 1, retain }, (error) => {
          if (error) return fail(new ServiceError("BROKER_UNAVAILABLE", "publishing failed", { cause: error }));
          settle();
          resolve();
        });
      });
    },
    subscribe(filter, handler) {
      if (handlers.has(filter)) throw new Error(`${filter} has a handler already. This is a bug.`);
      handlers.set(filter, handler);
      if (ready) client?.subscribe(filter, { qos: 1 });
    },
    onConnection(listener) {
      connectionListeners.push(listener);
      listener(ready);
    },
  };
}
