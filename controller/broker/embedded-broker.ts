import { createServer, type Server } from "node:net";
import type { Aedes } from "aedes";
import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage, MessageHandler } from "#protocol/broker.ts";
import { matchesFilter } from "#protocol/match-filter.ts";
import type { BrokerLimits } from "./broker-config.ts";
import type { BrokerCounts } from "./broker-counts.ts";
import type { ClientAccess } from "./client-access.ts";
import { createClientGate } from "./client-gate.ts";
import { openAedes, readRetained } from "./open-aedes.ts";
import { createRetainedMessages } from "./retained-messages.ts";

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly access: ClientAccess;
  readonly limits: BrokerLimits;
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
  counts(): BrokerCounts;
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
  const retained = createRetainedMessages(options.limits.maxRetainedBytes);
  let opening: Promise<Aedes> | undefined;
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

  const gate = createClientGate({ access: options.access, limits: options.limits, retained, handle, counted });

  const open = async (): Promise<Aedes> => {
    opening ??= openAedes(gate.hooks, retained, counted);
    aedes = await opening;
    return aedes;
  };

  /** Retained messages that were there before the controller's connection, as any subscriber gets them. */
  const deliverRetained = (opened: Aedes) =>
    readRetained(opened, [...handlers.keys()], ({ topic, payload }) => {
      handle({ topic, payload, retained: true }).catch((error) =>
        log.error({ topic, err: describeError(error) }, "a retained message could not be handled"),
      );
    });

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
    counts: () => gate.counts(),
    async listen() {
      const opened = await open();
      const { host, port } = options;
      const listening = createServer((socket) => {
        if (gate.take(socket)) opened.handle(socket);
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
      opening = undefined;
      aedes = undefined;
      server = undefined;
      const stopped = new Promise<void>((resolve) => {
        if (stopping === undefined) resolve();
        else stopping.close(() => resolve());
      });
      if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()));
      gate.closeAll();
      await stopped;
    },
  };
}
