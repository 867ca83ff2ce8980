import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type Server } from "node:net";
import { Aedes } from "aedes";
import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage, MessageHandler } from "#protocol/broker.ts";
import { maxMessageBytes } from "#protocol/codec.ts";
import { matchesFilter } from "#protocol/match-filter.ts";
import { limitPacketSize } from "./limit-packet-size.ts";

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** With a user name, clients must give it and the password. */
  readonly username?: string;
  readonly password?: string;
}

export interface EmbeddedBroker {
  /** The controller's own, in-process connection. Started before {@link listen}, so that it misses nothing. */
  readonly broker: Broker;
  /**
   * Opens the port for MQTT 3.1.1 clients and resolves with it.
   * @throws UsageError when the port is taken.
   */
  listen(): Promise<number>;
  /** Closes the port and all connections. The in-process connection must be stopped first: it would take the end of the agents' connections for their end. */
  close(): Promise<void>;
}

/** Topic, topic length, packet id and fixed header beside the payload: what a packet may be longer than its message. */
const maxPacketBytes = maxMessageBytes + 4096;
/** A subscriber that has not read for this long is cut off; until then it holds up those who publish to it. */
const drainTimeoutMs = 10_000;
/** Packets a client may send before its CONNECT is answered. Well-behaved clients wait, so few are enough. */
const packetsBeforeConnack = 32;

/** Compares in constant time; hashing first gives equal lengths. */
function sameSecret(given: string | Uint8Array, expected: string): boolean {
  const hash = (value: string | Uint8Array) => createHash("sha256").update(value).digest();
  return timingSafeEqual(hash(given), hash(expected));
}

/**
 * An MQTT 3.1.1 broker inside the controller (aedes, retained messages in memory), with the controller's own connection to it.
 *
 * aedes acknowledges a QoS 1 message after `authorizePublish` and before it delivers it, so the controller's handlers run, and are
 * awaited, in `authorizePublish`: what an agent gets an acknowledgement for has been stored. A handler that fails costs the client
 * its connection without an acknowledgement, and it sends the message again. Last wills take the same way.
 */
export function createEmbeddedBroker(options: EmbeddedBrokerOptions, log: Logger): EmbeddedBroker {
  const counted = createCountedLog(log, Date.now);
  const handlers = new Map<string, MessageHandler>();
  const connectionListeners: ((connected: boolean) => void)[] = [];
  let aedes: Aedes | undefined;
  let server: Server | undefined;
  let connected = false;
  /** Messages are handled one after another, in the order of their arrival. */
  let handling: Promise<void> = Promise.resolve();

  const setConnected = (value: boolean) => {
    if (connected === value) return;
    connected = value;
    for (const listener of connectionListeners) listener(value);
  };

  const handle = (message: BrokerMessage): Promise<void> => {
    const run = async () => {
      if (!connected) return;
      for (const [filter, handler] of handlers) if (matchesFilter(filter, message.topic)) await handler(message);
    };
    const result = handling.then(run);
    handling = result.catch(() => undefined);
    return result;
  };

  const open = async (): Promise<Aedes> => {
    if (aedes !== undefined) return aedes;
    const created = new Aedes({
      drainTimeout: drainTimeoutMs,
      queueLimit: packetsBeforeConnack,
      connectTimeout: 10_000,
      authenticate(_client, username, password, done) {
        const accepted =
          options.username === undefined ||
          (sameSecret(username ?? "", options.username) && sameSecret(password ?? "", options.password ?? ""));
        if (!accepted) counted.note("an MQTT client gave a wrong user name or password", { username });
        done(null, accepted);
      },
      authorizePublish(client, packet, done) {
        if (packet.topic.startsWith("$")) return done(new Error(`topic ${packet.topic} is reserved`));
        const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
        handle({ topic: packet.topic, payload, retained: false }).then(
          () => done(null),
          (error) => {
            const details = { topic: packet.topic, client: client?.id, err: describeError(error) };
            counted.note("a message could not be handled and is not acknowledged", details);
            done(error);
          },
        );
      },
    });
    created.on("connectionError", (_client, error) =>
      counted.note("an MQTT connection failed", { err: error.message }),
    );
    created.on("clientError", (client, error) =>
      counted.note("an MQTT client's connection failed", { client: client.id, err: error.message }),
    );
    await created.listen();
    aedes = created;
    return created;
  };

  /** Retained messages that were there before the controller's connection, as any subscriber gets them. */
  const deliverRetained = (opened: Aedes) => {
    const persistence = (opened as unknown as { persistence: RetainedSource }).persistence;
    const stream = persistence.createRetainedStreamCombi([...handlers.keys()]);
    stream.on("data", ({ topic, payload }) => {
      handle({ topic, payload, retained: true }).catch((error) =>
        log.error({ topic, err: describeError(error) }, "a retained message could not be handled"),
      );
    });
  };

  const broker: Broker = {
    get connected() {
      return connected;
    },
    async start() {
      const opened = await open();
      setConnected(true);
      if (handlers.size > 0) deliverRetained(opened);
    },
    async stop() {
      await handling;
      setConnected(false);
    },
    publish(topic, payload, { retain }) {
      const target = aedes;
      if (target === undefined || !connected) {
        return Promise.reject(new ServiceError("BROKER_UNAVAILABLE", "the embedded broker is not running"));
      }
      return new Promise((resolve, reject) => {
        const packet = { cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, retain, dup: false } as const;
        target.publish(packet, (error) => {
          if (error) reject(new ServiceError("BROKER_UNAVAILABLE", "publishing failed", { cause: error }));
          else resolve();
        });
      });
    },
    subscribe(filter, handler) {
      if (handlers.has(filter)) throw new Error(`${filter} has a handler already. This is a bug.`);
      handlers.set(filter, handler);
    },
    onConnection(listener) {
      connectionListeners.push(listener);
      listener(connected);
    },
  };

  return {
    broker,
    async listen() {
      const opened = await open();
      const { host, port } = options;
      const listening = createServer((socket) => {
        limitPacketSize(socket, maxPacketBytes);
        opened.handle(socket);
      });
      await new Promise<void>((resolve, reject) => {
        listening.once("error", (error: NodeJS.ErrnoException) => {
          const why = error.code === "EADDRINUSE" ? "is in use" : "can't be opened";
          reject(new UsageError(`the embedded broker's port ${port} on ${host} ${why}`, { cause: error }));
        });
        listening.listen(port, host, resolve);
      });
      server = listening;
      return (listening.address() as { port: number }).port;
    },
    async close() {
      const closing = aedes;
      const stopping = server;
      aedes = undefined;
      server = undefined;
      const stopped = new Promise<void>((resolve) => {
        if (stopping === undefined) resolve();
        else stopping.close(() => resolve());
      });
      if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()));
      await stopped;
    },
  };
}

/** The part of aedes' persistence that its own types leave out. */
interface RetainedSource {
  createRetainedStreamCombi(filters: string[]): NodeJS.ReadableStream & {
    on(event: "data", listener: (packet: { topic: string; payload: Buffer }) => void): unknown;
  };
}
