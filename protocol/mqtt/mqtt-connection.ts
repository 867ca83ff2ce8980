import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from "mqtt";
import { describeError } from "#platform/errors.ts";
import type { BrokerMessage, LastWill } from "../broker.ts";
import { acceptReasonCodes } from "./accept-reason-codes.ts";
import { countTrafficAsLife } from "./count-traffic-as-life.ts";
import { type MqttAttempt, type MqttVersion, mqttVersionToText } from "./decide-mqtt-version.ts";
import { isLoginRefused, isVersionRefused, reasonCode, reasonToText } from "./mqtt-reasons.ts";

/** Certificates that a client shows, and those that it accepts; all in PEM. */
export interface MqttTls {
  readonly cert: string;
  readonly key: string;
  /** Authorities that may have signed the broker's certificate. */
  readonly ca: string | string[];
  /** Name that the broker's certificate must have. Default: that of the address. */
  readonly servername?: string;
}

export interface MqttConnectionOptions {
  readonly url: string;
  readonly version: MqttVersion;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: MqttTls;
  readonly will?: LastWill;
  readonly keepAliveS: number;
  /** true: the broker forgets what it held for this client id. */
  readonly cleanStart: boolean;
  /** Time for which the broker keeps the session after the connection; 0: not at all. */
  readonly sessionKeptS: number;
}

/** Permissions of the broker on this connection, by its CONNACK; 3.1.1 says nothing of it. */
export interface BrokerAllowance {
  readonly maxPacketBytes: number | null;
  /** Maximum publishes at QoS 1 that wait for their acknowledgement. */
  readonly maxUnacknowledged: number;
  readonly maxQos: number;
  readonly retains: boolean;
}

/** End of a connection, or of an attempt to make one. */
export interface ConnectionEnd {
  readonly attempt: MqttAttempt;
  /** The broker's reason code; null: it gave none. */
  readonly code: number | null;
  readonly reason: string;
  readonly loginRefused: boolean;
  /** Another client connected under the same client id. */
  readonly takenOver: boolean;
  /** This side ended it, or could not reach the broker: the end says nothing about other clients. */
  readonly isOwn: boolean;
}

export interface MqttConnectionEvents {
  /** The broker has admitted this client. */
  onAdmitted(allowance: BrokerAllowance): void;
  /** Handles a message; it is acknowledged when this has resolved. */
  onMessage(message: BrokerMessage): Promise<void>;
  /** Called once, however it ended. */
  onEnd(end: ConnectionEnd): void;
}

/** Answer to a publish at QoS 1: a reason code below 0x80 is a success. */
export interface PublishAnswer {
  readonly code: number;
  readonly words: string;
}

const connectTimeoutMs = 10_000;
/** Time that an orderly end may take. */
const partingMs = 2_000;
/** In MQTT 3.1.1, and in 5 where the broker says nothing. */
const unlimited = 65_535;
/** Errors below MQTT: nothing answers there. The version can't be the cause. */
const unreachable =
  /ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EAI_AGAIN|certificate|CERT|self.signed|SSL|TLS/;

function allowanceOf({ properties }: IConnackPacket): BrokerAllowance {
  return {
    maxPacketBytes: properties?.maximumPacketSize ?? null,
    maxUnacknowledged: properties?.receiveMaximum ?? unlimited,
    maxQos: (properties as { maximumQoS?: number } | undefined)?.maximumQoS ?? 2,
    retains: properties?.retainAvailable !== false,
  };
}

/** Bytes of a PUBLISH packet at QoS 1 (sections 2.1 and 3.3). */
export function publishPacketBytes(topic: string, payload: string): number {
  const propertiesBytes = 1;
  const remaining = 2 + Buffer.byteLength(topic) + 2 + propertiesBytes + Buffer.byteLength(payload);
  const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
  return 1 + lengthBytes + remaining;
}

function settingsOf(options: MqttConnectionOptions): IClientOptions {
  const { version, clientId, keepAliveS, cleanStart, sessionKeptS, will, username, password, tls } = options;
  const settings: IClientOptions = {
    ...{
      clientId,
      clean: cleanStart,
      keepalive: keepAliveS,
      protocolVersion: version,
      connectTimeout: connectTimeoutMs,
    },
    // Another attempt is another connection, possibly of another version.
    ...{ reconnectPeriod: 0, resubscribe: false, queueQoSZero: false },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ?? {}),
  };
  if (version === 5) settings.properties = { sessionExpiryInterval: sessionKeptS };
  if (will !== undefined) settings.will = { ...will, payload: Buffer.from(will.payload), qos: 1, retain: true };
  return settings;
}

acceptReasonCodes();

/** One connection to a broker over mqtt.js, in one version of MQTT, from CONNECT to its end. */
export class MqttConnection {
  readonly #client: MqttClient;
  readonly #events: MqttConnectionEvents;
  readonly #version: MqttVersion;
  /** Answers that mqtt.js hands on without their reason code, by packet id. */
  readonly #answers = new Map<number, PublishAnswer>();
  #wasAdmitted = false;
  #hasEnded = false;
  #isOwn = false;
  #code: number | null = null;
  #reason = "";

  /** @throws Error when the address has a protocol that mqtt.js does not know. */
  constructor(options: MqttConnectionOptions, events: MqttConnectionEvents) {
    this.#events = events;
    this.#version = options.version;
    const client = connect(options.url, settingsOf(options));
    this.#client = client;
    countTrafficAsLife(client);
    client.on("connect", (packet) => {
      this.#wasAdmitted = true;
      events.onAdmitted(allowanceOf(packet));
    });
    client.on("disconnect", ({ reasonCode: code, properties }) => {
      this.#code = code ?? null;
      this.#reason = `the broker ended the connection: ${reasonToText(code ?? 0, properties?.reasonString)}`;
    });
    client.on("error", (error) => this.#onError(error as Error & { code?: unknown }));
    client.on("packetreceive", (packet) => {
      if (packet.cmd !== "puback" || packet.messageId === undefined) return;
      const { reasonCode: code = 0, properties } = packet;
      if (code !== 0)
        this.#answers.set(packet.messageId, { code, words: reasonToText(code, properties?.reasonString) });
    });
    client.on("close", () => this.#end());
    client.handleMessage = (packet, acknowledge) => this.#take(packet, acknowledge);
  }

  /** Resolves with the broker's answer, at QoS 0 when it is written; rejects when the connection ends before. */
  publish(topic: string, payload: string, options: { qos: 0 | 1; retain: boolean }): Promise<PublishAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<PublishAnswer>();
    let packetId: number | undefined;
    this.#client.publish(topic, payload, options, (error) => {
      const answer = packetId === undefined ? undefined : this.#answers.get(packetId);
      if (packetId !== undefined) this.#answers.delete(packetId);
      if (answer !== undefined) resolve(answer);
      else if (error) reject(error);
      else resolve({ code: 0, words: "" });
    });
    if (options.qos === 1) packetId = this.#client.getLastMessageId();
    return promise;
  }

  /** Subscribes at QoS 1; resolves with the filters that were refused, and why. */
  async subscribe(filters: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
    // mqtt.js takes one refused filter for a failure of all; the packet tells them apart.
    this.#client.subscribe([...filters], { qos: 1 }, (error, _grants, packet) => {
      const granted = (packet as { granted?: readonly number[] } | undefined)?.granted;
      if (granted?.length === filters.length) resolve(granted);
      else reject(error ?? new Error("the broker did not answer the subscription"));
    });
    const codes = await promise;
    return new Map(
      filters.flatMap((filter, index) => {
        const code = codes[index] ?? 0;
        return (code & reasonCode.failureBit) === 0 ? [] : [[filter, reasonToText(code)] as const];
      }),
    );
  }

  unsubscribe(filter: string): void {
    this.#client.unsubscribe(filter, () => undefined);
  }

  /** Ends it in order, so that the last will is not sent; one that takes too long is cut off. */
  async close(): Promise<void> {
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    // mqtt.js waits for what the broker has not acknowledged, for ever if need be.
    const timer = setTimeout(() => {
      this.#client.stream.destroy();
      resolve();
    }, partingMs);
    await Promise.race([this.#client.endAsync(!this.#wasAdmitted), cut]);
    clearTimeout(timer);
  }

  /** Cuts it off: the broker sends the last will. */
  cutOff(reason: string): void {
    this.#reason ||= reason;
    this.#isOwn = true;
    this.#client.stream.destroy();
  }

  #onError(error: Error & { code?: unknown }): void {
    const { code } = error;
    const text = describeError(error) || String(code ?? "unknown");
    if (typeof code === "number") {
      this.#code = code;
      this.#reason = `the broker refuses the connection: ${reasonToText(code)}`;
    } else this.#reason ||= text;
    // The stream may have ended before, or never have been opened.
    if (!this.#client.connected) setTimeout(() => this.#end(), 0);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const code = this.#code;
    this.#events.onEnd({
      attempt: this.#attempt(),
      code,
      reason:
        this.#reason ||
        `the broker ended the connection without giving a reason (MQTT ${mqttVersionToText(this.#version)})`,
      loginRefused: !this.#wasAdmitted && isLoginRefused(code),
      takenOver: code === reasonCode.takenOver,
      isOwn: this.#isOwn || unreachable.test(this.#reason),
    });
    // Frees its timers; what it still reports is of no interest.
    this.#client.end(true);
  }

  #attempt(): MqttAttempt {
    if (this.#wasAdmitted) return "connected";
    if (isVersionRefused(this.#code)) return "version-refused";
    return this.#code === null && !unreachable.test(this.#reason) ? "no-answer" : "failed";
  }

  #take({ topic, payload, retain }: IPublishPacket, acknowledge: (error?: Error) => void): void {
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    this.#events.onMessage({ topic: topic.toString(), payload: bytes, retained: retain === true }).then(
      () => acknowledge(),
      (error) => {
        // Not acknowledged: a broker that keeps the session delivers it again on the next connection.
        this.cutOff(`a message on ${topic} could not be handled: ${describeError(error)}`);
        acknowledge(error as Error);
      },
    );
  }
}
