import { describeError, ServiceError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import { hourMs, secondMs } from "#platform/time.ts";
import type { Broker, BrokerMessage, MessageHandler, PublishOptions } from "./broker.ts";
import { type BrokerRefusal, createBrokerRefusals, refusalToText } from "./mqtt/broker-refusals.ts";
import { decideMqttVersion, type MqttVersion, mqttVersionToText } from "./mqtt/decide-mqtt-version.ts";
import { createEchoWatch, type EchoWatch } from "./mqtt/echo-watch.ts";
import { explainConnectionEnd } from "./mqtt/explain-connection-end.ts";
import type { MqttBrokerOptions } from "./mqtt/mqtt-broker-options.ts";
import {
  type BrokerAllowance,
  type ConnectionEnd,
  MqttConnection,
  publishPacketBytes,
} from "./mqtt/mqtt-connection.ts";
import { reasonCode } from "./mqtt/mqtt-reasons.ts";
import { type PacketObjection, packetObjection } from "./mqtt/packet-objection.ts";
import { createPublishSlots } from "./mqtt/publish-slots.ts";
import { createReconnectPace, reconnectDelayMs } from "./mqtt/reconnect-pace.ts";
import { createSizeSuspicion, largestOf, type SentPacket } from "./mqtt/size-suspicion.ts";
import { tlsFault } from "./mqtt/tls-fault.ts";
import { matchesFilter } from "./topics.ts";

const acknowledgementTimeoutMs = 10_000;
/** Time for which a broker of MQTT 5 keeps a session. */
const sessionKeptS = (14 * 24 * hourMs) / secondMs;

/** The {@link Broker} port over mqtt.js: MQTT 5 where the broker speaks it, else 3.1.1. */
export class MqttBroker implements Broker {
  readonly #options: MqttBrokerOptions;
  readonly #log: Logger;
  readonly #shownUrl: string;
  readonly #handlers = new Map<string, MessageHandler>();
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #refusals = createBrokerRefusals();
  readonly #pace = createReconnectPace(() => performance.now());
  readonly #slots = createPublishSlots();
  readonly #tooLarge = createSizeSuspicion(() => performance.now());
  /** Publishes that wait for their acknowledgement. */
  readonly #unacknowledged = new Map<(error: ServiceError) => void, SentPacket>();
  readonly #echo: EchoWatch;
  #connection: MqttConnection | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;
  #isReady = false;
  #allowance: BrokerAllowance | undefined;
  #version: MqttVersion = 5;
  #version5RefusedAtMs: number | null = null;
  #lastFailure = "";
  #isTurnedAway = false;
  /** Trouble that a connection does not end: another client of this id, or subscriptions that are not served. */
  #lasting: { readonly kind: "taken-over" | "unheard"; readonly reason: string } | null = null;
  #renewNext = false;

  constructor(options: MqttBrokerOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#shownUrl = redactUrl(options.url);
    this.#echo = createEchoWatch((waitedMs, mayRenew) => this.#onSilence(waitedMs, mayRenew), options.echoWaitMs);
  }

  get connected(): boolean {
    return this.#isReady;
  }

  /** Fault of the connection, if one is known. While it is connected: what has ended it again and again until now. */
  get problem(): string | null {
    if (this.#lasting?.kind === "taken-over" && this.#pace.lasted()) this.#lasting = null;
    if (!this.#isReady && this.#lastFailure !== "") return this.#lastFailure;
    return this.#lasting?.reason ?? null;
  }

  /** True while the broker does not let this client in: it refuses the login or the certificate, or hangs up before it answers. */
  get isTurnedAway(): boolean {
    return this.#isTurnedAway && !this.#isReady;
  }

  /** Version of MQTT that is spoken with the broker; null while it is not connected. */
  get protocol(): "5" | "3.1.1" | null {
    return this.#isReady ? mqttVersionToText(this.#version) : null;
  }

  /** Topics that the broker does not let this client publish or subscribe to, as far as it says. */
  get refused(): readonly BrokerRefusal[] {
    return this.#refusals.list();
  }

  async start(): Promise<void> {
    if (this.#isStarted) throw new Error("the broker connection was started twice. This is a bug.");
    this.#isStarted = true;
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    clearTimeout(this.#retry);
    this.#echo.stop();
    const stopping = this.#connection;
    this.#connection = undefined;
    if (stopping === undefined) return;
    this.#rejectUnacknowledged("the broker connection is being closed");
    await stopping.close();
    this.#setReady(false);
  }

  publish(topic: string, payload: string, options: PublishOptions): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || !this.#isReady)
      return Promise.reject(unavailable(`not connected to the broker ${this.#shownUrl}`));
    const bytes = publishPacketBytes(topic, payload);
    const { retain } = options;
    const qos = Math.min(options.qos ?? 1, this.#allowance?.maxQos ?? 1) as 0 | 1;
    const objection = packetObjection({ bytes, retain }, this.#allowance, this.#tooLarge.of(bytes));
    if (objection !== null) return Promise.reject(this.#refuse(topic, objection.code, objection.reason));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(unavailable(`no acknowledgement within ${acknowledgementTimeoutMs / 1000} s`)),
      acknowledgementTimeoutMs,
    );
    this.#unacknowledged.set(reject, { topic, bytes });
    const isEcho = topic === this.#options.echoTopic && this.#isServed(topic);
    const send = async () => {
      // Before it is sent: it may come back before it is acknowledged.
      if (isEcho) this.#echo.expect(payload);
      if (qos === 1) await this.#slots.take();
      if (this.#connection !== connection) throw unavailable(`the connection to the broker ${this.#shownUrl} was lost`);
      const { code, words } = await connection
        .publish(topic, payload, { qos, retain })
        .finally(() => qos === 1 && this.#slots.release());
      if ((code & reasonCode.failureBit) !== 0) throw this.#refuse(topic, "FORBIDDEN", words);
      if (code === reasonCode.noMatchingSubscribers && options.needsReader === true)
        throw unavailable(`nobody is subscribed to ${topic}`);
      if (qos === 1) this.#granted(topic, bytes);
    };
    send().then(resolve, (error) => {
      if (isEcho) this.#echo.stop();
      reject(error instanceof ServiceError ? error : unavailable("publishing failed", error as Error));
    });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#unacknowledged.delete(reject);
    });
  }

  subscribe(filter: string, handler: MessageHandler): void {
    if (this.#handlers.has(filter)) throw new Error(`${filter} already has a handler. This is a bug.`);
    this.#handlers.set(filter, handler);
    if (this.#isReady && this.#connection !== undefined)
      this.#subscribe(this.#connection, [filter]).catch((error) =>
        this.#log.debug(
          { filter, err: describeError(error) },
          "subscribing failed; the next connection subscribes anew",
        ),
      );
  }

  /** Subscribes to all filters, also to those that handlers add meanwhile: retained messages come before the broker's answer. */
  async #subscribeAll(connection: MqttConnection): Promise<void> {
    const subscribed = new Set<string>();
    for (;;) {
      const missing = [...this.#handlers.keys()].filter((filter) => !subscribed.has(filter));
      if (missing.length === 0) return;
      await this.#subscribe(connection, missing);
      for (const filter of missing) subscribed.add(filter);
    }
  }

  unsubscribe(filter: string): void {
    if (!this.#handlers.delete(filter)) return;
    this.#refusals.granted("subscribe", filter);
    if (this.#isReady) this.#connection?.unsubscribe(filter);
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
    listener(this.#isReady);
  }

  /** Ends the session and begins a new one, without what the broker held for the old one. */
  renew(reason: string): void {
    if (this.#connection === undefined) return;
    this.#renewNext = true;
    this.#connection.cutOff(reason);
  }

  #connect(): void {
    const { url, clientId, will, credentials, cleanSession = true, keepAliveS = 15 } = this.#options;
    const version = this.#version;
    const connection: MqttConnection = new MqttConnection(
      {
        ...{ url, clientId, version, keepAliveS },
        cleanStart: cleanSession || this.#renewNext,
        sessionKeptS: cleanSession ? 0 : sessionKeptS,
        ...(will === undefined ? {} : { will }),
        ...credentials?.(),
      },
      {
        onAdmitted: (allowance) => void this.#onAdmitted(connection, allowance),
        onMessage: (message) => this.#deliver(message),
        onEnd: (end) => this.#onEnd(connection, end),
      },
    );
    this.#connection = connection;
  }

  async #onAdmitted(connection: MqttConnection, allowance: BrokerAllowance): Promise<void> {
    this.#renewNext = false;
    this.#allowance = allowance;
    this.#slots.open(allowance.maxUnacknowledged);
    this.#pace.connected();
    try {
      await this.#subscribeAll(connection);
    } catch (error) {
      // The connection ended while subscribing; the next one subscribes anew.
      this.#log.debug({ err: describeError(error) }, "subscribing failed");
      connection.cutOff("the broker did not answer a subscription");
      return;
    }
    if (this.#connection !== connection) return;
    this.#log.info({ broker: this.#shownUrl, mqtt: mqttVersionToText(this.#version) }, "connected to the broker");
    this.#setReady(true);
  }

  async #subscribe(connection: MqttConnection, filters: readonly string[]): Promise<void> {
    const refused = await connection.subscribe(filters);
    for (const topic of filters) {
      const reason = refused.get(topic);
      if (reason === undefined) this.#refusals.granted("subscribe", topic);
      else this.#noteRefusal({ action: "subscribe", topic, reason });
    }
  }

  #onEnd(connection: MqttConnection, end: ConnectionEnd): void {
    const isCurrent = this.#connection === connection;
    if (!isCurrent) return;
    this.#connection = undefined;
    const wasReady = this.#isReady;
    const sent = largestOf([...this.#unacknowledged.values()]);
    const { forMs, likelyTakenOver } = this.#pace.ended(end.code === null && !end.isOwn);
    this.#tooLarge.ended(end.attempt === "connected" && end.code === null && !end.isOwn ? sent : null);
    this.#lastFailure = explainConnectionEnd({ ...this.#options, end, sent, forMs, likelyTakenOver });
    this.#isTurnedAway =
      end.loginRefused || end.attempt === "no-answer" || tlsFault(end.reason)?.startsWith("own-") === true;
    if (end.takenOver || likelyTakenOver) this.#lasting = { kind: "taken-over", reason: this.#lastFailure };
    this.#echo.stop();
    this.#setReady(false);
    this.#rejectUnacknowledged(`the connection to the broker ${this.#shownUrl} was lost`);
    this.#slots.open(0);
    const tried = this.#version;
    const next = decideMqttVersion({
      ...{ tried, attempt: end.attempt, refusedAtMs: this.#version5RefusedAtMs },
      nowMs: performance.now(),
    });
    this.#version = next.version;
    this.#version5RefusedAtMs = next.refusedAtMs;
    if (!this.#isStarted) return;
    // The other version may do: nothing is wrong yet.
    if (next.atOnce) this.#lastFailure = "";
    const attempt = this.#pace.attempts;
    const delayMs = next.atOnce ? 0 : reconnectDelayMs(attempt, Math.random());
    this.#retry = setTimeout(() => this.#connect(), delayMs);
    if (next.atOnce) {
      // No trouble yet: the next attempt speaks the other version.
      this.#lastFailure = "";
      this.#log.info({ broker: this.#shownUrl }, "the broker does not speak MQTT 5: trying MQTT 3.1.1");
      return;
    }
    // Each lost connection, then the 1st, 2nd, 4th, 8th … failed attempt: enough to notice, not a flood.
    if (wasReady || (attempt & (attempt - 1)) === 0) {
      this.#log.warn(
        { broker: this.#shownUrl, attempt, retryInMs: Math.round(delayMs), err: this.#lastFailure },
        wasReady ? "lost the broker" : "not connected to the broker; serving goes on without it",
      );
    }
  }

  #refuse(topic: string, code: PacketObjection["code"], reason: string): ServiceError {
    const refusal = { action: "publish", topic, reason } as const;
    this.#noteRefusal(refusal);
    return new ServiceError(code, refusalToText(refusal));
  }

  #noteRefusal(refusal: BrokerRefusal): void {
    if (this.#refusals.add(refusal))
      this.#log.error(
        { ...refusal, broker: this.#shownUrl },
        `${refusalToText(refusal)}; check its access rules and limits`,
      );
  }

  #granted(topic: string, bytes: number): void {
    this.#refusals.granted("publish", topic);
    this.#tooLarge.taken(bytes);
  }

  /** True when a subscription to this topic is in force. */
  #isServed(topic: string): boolean {
    const refused = new Set(this.#refusals.list().flatMap((each) => (each.action === "subscribe" ? [each.topic] : [])));
    return [...this.#handlers.keys()].some((filter) => !refused.has(filter) && matchesFilter(filter, topic));
  }

  #onSilence(waitedMs: number, mayRenew: boolean): void {
    const { echoTopic } = this.#options;
    const reason = `messages that this client published on ${echoTopic} did not come back within ${Math.round(waitedMs / secondMs)} s: its subscriptions are not served`;
    this.#lasting = { kind: "unheard", reason };
    this.#log.warn({ broker: this.#shownUrl, renews: mayRenew }, reason);
    if (mayRenew) this.renew(reason);
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    for (const listener of this.#listeners) listener(isReady);
  }

  #rejectUnacknowledged(reason: string): void {
    for (const reject of this.#unacknowledged.keys()) reject(unavailable(reason));
    this.#unacknowledged.clear();
  }

  async #deliver(message: BrokerMessage): Promise<void> {
    if (message.topic === this.#options.echoTopic && this.#echo.heard(new TextDecoder().decode(message.payload)))
      this.#lasting = null;
    for (const [filter, handler] of this.#handlers) if (matchesFilter(filter, message.topic)) await handler(message);
  }
}

function unavailable(reason: string, cause?: Error): ServiceError {
  return new ServiceError("BROKER_UNAVAILABLE", reason, cause === undefined ? {} : { cause });
}
