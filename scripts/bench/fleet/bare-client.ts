import { createConnection, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";

/** Certificate and key of a client, and the authority of both sides, in PEM. */
export interface BareTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface BareLogin {
  readonly port: number;
  /** Address of loopback that it connects from: brokers bound what comes from one. Over TLS the system chooses. */
  readonly localAddress: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly keepAliveS: number;
  readonly will?: { readonly topic: string; readonly payload: string };
  /** Default: not encrypted. */
  readonly tls?: BareTls;
}

export interface BareEvents {
  onAdmitted(): void;
  onMessage(topic: string, payload: Buffer): void;
  onEnd(): void;
}

const maxPacketId = 65_535;

/** MQTT 3.1.1 in as little time as can be: thousands of clients in one process are to cost less than what they measure. */
export class BareClient {
  readonly #socket: Socket;
  readonly #events: BareEvents;
  readonly #waiting = new Map<number, (isAcknowledged: boolean) => void>();
  #ping: ReturnType<typeof setInterval> | undefined;
  #packetId = 0;
  #isAdmitted = false;
  #hasEnded = false;

  constructor(login: BareLogin, events: BareEvents) {
    const { port, localAddress, clientId, username, password, keepAliveS, will, tls } = login;
    this.#events = events;
    this.#socket =
      tls === undefined
        ? createConnection({ host: "127.0.0.1", port, localAddress })
        : connectTls({ host: "127.0.0.1", port, ...tls });
    this.#socket.setNoDelay(true);
    const reading = parser({ protocolVersion: 4 });
    reading.on("packet", (packet: Packet) => this.#take(packet));
    reading.on("error", () => this.cut());
    this.#socket.on("data", (chunk) => void reading.parse(chunk as Buffer));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => this.#end());
    this.#socket.on(tls === undefined ? "connect" : "secureConnect", () =>
      this.#send({
        ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId, keepalive: keepAliveS },
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password: Buffer.from(password) }),
        ...(will === undefined
          ? {}
          : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
      }),
    );
    this.#ping = setInterval(() => this.#isAdmitted && this.#send({ cmd: "pingreq" }), keepAliveS * 1000);
  }

  get isAdmitted(): boolean {
    return this.#isAdmitted && !this.#hasEnded;
  }

  subscribe(topics: readonly string[]): void {
    const subscriptions = topics.map((topic) => ({ topic, qos: 1 as const }));
    this.#send({ cmd: "subscribe", messageId: this.#nextId(), subscriptions });
  }

  unsubscribe(topics: readonly string[]): void {
    this.#send({ cmd: "unsubscribe", messageId: this.#nextId(), unsubscriptions: [...topics] });
  }

  /** Resolves with true when the broker has acknowledged, with false when the connection ended before. */
  publish(topic: string, payload: string, options: { readonly retain?: boolean; readonly qos?: 0 | 1 } = {}) {
    const { retain = false, qos = 1 } = options;
    const messageId = qos === 1 ? this.#nextId() : undefined;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    if (this.#hasEnded) return Promise.resolve(false);
    if (messageId === undefined) resolve(true);
    else this.#waiting.set(messageId, resolve);
    this.#send({
      ...{ cmd: "publish", topic, payload, qos, retain, dup: false },
      ...(messageId === undefined ? {} : { messageId }),
    });
    return promise;
  }

  /** Cuts the connection as a power cut does: without a word. */
  cut(): void {
    this.#socket.destroy();
    this.#end();
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % maxPacketId) + 1;
    return this.#packetId;
  }

  #send(packet: Packet): void {
    if (!this.#hasEnded) this.#socket.write(generate(packet));
  }

  #take(packet: Packet): void {
    if (packet.cmd === "connack") {
      this.#isAdmitted = packet.returnCode === 0;
      if (this.#isAdmitted) this.#events.onAdmitted();
      else this.cut();
    } else if (packet.cmd === "publish") this.#receive(packet);
    else if (packet.cmd === "puback" && packet.messageId !== undefined) {
      this.#waiting.get(packet.messageId)?.(true);
      this.#waiting.delete(packet.messageId);
    }
  }

  #receive({ qos, messageId, topic, payload }: IPublishPacket): void {
    if (qos === 1 && messageId !== undefined) this.#send({ cmd: "puback", messageId });
    this.#events.onMessage(topic, typeof payload === "string" ? Buffer.from(payload) : payload);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#ping);
    for (const resolve of this.#waiting.values()) resolve(false);
    this.#waiting.clear();
    this.#events.onEnd();
  }
}
