import { createServer, type Server } from "node:net";
import type { Aedes } from "aedes";
import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import { type CountedLog, createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage, MessageHandler } from "#protocol/broker.ts";
import { matchesFilter } from "#protocol/topics.ts";
import type { FleetAuthority } from "../identity/fleet-authority.ts";
import type { BrokerLimits } from "./broker-config.ts";
import type { BrokerCounts } from "./broker-counts.ts";
import type { ClientAccess } from "./client-access.ts";
import { ClientGate } from "./client-gate.ts";
import { openAedes, readRetained } from "./open-aedes.ts";
import { createRetainedMessages, type RetainedMessages } from "./retained/retained-messages.ts";
import { type DeviceListener, listenForDevices } from "./tls/device-listener.ts";

/** Time within which a session ends whose password counts no longer. */
const reviewEachMs = 1_000;

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly access: ClientAccess;
  readonly limits: BrokerLimits;
}

/**
 * An MQTT 3.1.1 broker inside the controller (aedes, retained messages in memory), with the controller's own connection to it.
 *
 * aedes acknowledges a QoS 1 message after `authorizePublish` and before it delivers it, so the controller's handlers run, and are
 * awaited, in `authorizePublish`: an acknowledged message has been stored. A handler that fails costs the client its connection without an
 * acknowledgement, and it sends the message again. Last wills take the same way.
 */
export class EmbeddedBroker {
  /** The controller's own, in-process connection. Started before {@link listen}, so that it misses nothing. */
  readonly broker: Broker;
  readonly #options: EmbeddedBrokerOptions;
  readonly #log: Logger;
  readonly #counted: CountedLog;
  readonly #handlers = new Map<string, MessageHandler>();
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #retained: RetainedMessages;
  readonly #gate: ClientGate;
  #opening: Promise<Aedes> | undefined;
  #aedes: Aedes | undefined;
  #server: Server | undefined;
  #devices: DeviceListener | undefined;
  #connected = false;
  #reviewing: NodeJS.Timeout | undefined;
  /** Messages are handled one after another, in the order of their arrival. */
  #handling: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedBrokerOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#counted = createCountedLog(log, Date.now);
    this.#retained = createRetainedMessages(options.limits.maxRetainedBytes);
    this.#gate = new ClientGate({
      access: options.access,
      limits: options.limits,
      retained: this.#retained,
      handle: (message) => this.#handle(message),
      counted: this.#counted,
    });
    this.broker = this.#inProcessConnection();
  }

  /**
   * Opens the port for MQTT 3.1.1 clients and resolves with it.
   * @throws UsageError when the port is taken.
   */
  async listen(): Promise<number> {
    const opened = await this.#open();
    const { host, port } = this.#options;
    const listening = createServer((socket) => {
      if (!this.#gate.accept(socket)) return;
      this.#gate.watch(socket, null);
      opened.handle(socket);
    });
    await new Promise<void>((resolve, reject) => {
      listening.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "EADDRINUSE" ? "is in use" : "can't be opened";
        reject(new UsageError(`the embedded broker's port ${port} on ${host} ${why}`, { cause: error }));
      });
      listening.listen(port, host, resolve);
    });
    this.#server = listening;
    this.#reviewing = setInterval(() => this.#gate.reviewPasswords(), reviewEachMs).unref();
    return (listening.address() as { port: number }).port;
  }

  /**
   * Opens the port for devices with certificates of the fleet's authority and resolves with it.
   * @throws UsageError when the port is taken.
   */
  async listenForDevices(at: { host: string; port: number }, authority: FleetAuthority): Promise<number> {
    const opened = await this.#open();
    this.#devices = await listenForDevices({
      ...at,
      ...{ authority, handshakeMs: this.#options.limits.halfOpenMs, counted: this.#counted },
      onConnection: (socket) => this.#gate.accept(socket),
      onDevice: (socket, certificate) => {
        this.#gate.watch(socket, certificate);
        opened.handle(socket);
      },
    });
    return this.#devices.port;
  }

  /** Closes the port and all connections. The in-process connection must be stopped first: it would take the end of the agents' connections for the end of the agents. */
  async close(): Promise<void> {
    clearInterval(this.#reviewing);
    const closing = this.#aedes;
    const stopping = this.#server;
    const stoppingDevices = this.#devices?.close();
    this.#devices = undefined;
    this.#opening = undefined;
    this.#aedes = undefined;
    this.#server = undefined;
    const stopped = new Promise<void>((resolve) => {
      if (stopping === undefined) resolve();
      else stopping.close(() => resolve());
    });
    if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()));
    this.#gate.closeAll();
    await stopped;
    await stoppingDevices;
  }

  /** Ends the sessions of an agent; a last will tells the fleet. */
  disconnect(agentId: string): void {
    this.#gate.disconnect(agentId);
  }

  counts(): BrokerCounts {
    return this.#gate.counts();
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  #handle(message: BrokerMessage): Promise<void> {
    const run = async () => {
      if (!this.#connected) return;
      for (const [filter, handler] of this.#handlers) if (matchesFilter(filter, message.topic)) await handler(message);
    };
    const result = this.#handling.then(run);
    this.#handling = result.catch(() => undefined);
    return result;
  }

  async #open(): Promise<Aedes> {
    this.#opening ??= openAedes(this.#gate.hooks, this.#retained, this.#counted);
    this.#aedes = await this.#opening;
    return this.#aedes;
  }

  /** Delivers retained messages that were there before the controller's connection, as any subscriber gets them. */
  #deliverRetained(opened: Aedes): void {
    readRetained(opened, [...this.#handlers.keys()], ({ topic, payload }) => {
      this.#handle({ topic, payload, retained: true }).catch((error) =>
        this.#log.error({ topic, err: describeError(error) }, "a retained message could not be handled"),
      );
    });
  }

  async #publish(topic: string, payload: string, retain: boolean): Promise<void> {
    const target = this.#aedes;
    if (target === undefined || !this.#connected)
      throw new ServiceError("BROKER_UNAVAILABLE", "the embedded broker is not running");
    const packet = { cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, retain, dup: false } as const;
    await new Promise<void>((resolve, reject) => {
      target.publish(packet, (error) => {
        if (error) reject(new ServiceError("BROKER_UNAVAILABLE", "publishing failed", { cause: error }));
        else resolve();
      });
    });
  }

  #inProcessConnection(): Broker {
    const isConnected = () => this.#connected;
    return {
      get connected() {
        return isConnected();
      },
      start: async () => {
        const opened = await this.#open();
        this.#setConnected(true);
        if (this.#handlers.size > 0) this.#deliverRetained(opened);
      },
      stop: async () => {
        await this.#handling;
        this.#setConnected(false);
      },
      publish: (topic, payload, { retain }) => this.#publish(topic, payload, retain),
      subscribe: (filter, handler) => {
        if (this.#handlers.has(filter)) throw new Error(`${filter} already has a handler. This is a bug.`);
        this.#handlers.set(filter, handler);
      },
      unsubscribe: (filter) => void this.#handlers.delete(filter),
      onConnection: (listener) => {
        this.#listeners.push(listener);
        listener(this.#connected);
      },
    };
  }
}
