import type { Socket } from "node:net";
import type { AedesOptions, Client } from "aedes";
import { cleanText } from "#platform/clean-text.ts";
import { describeError } from "#platform/errors.ts";
import type { CountedLog } from "#platform/log.ts";
import type { BrokerMessage } from "#protocol/broker.ts";
import type { DeviceCertificate } from "#protocol/identity/device-certificate.ts";
import type { BrokerLimits } from "./broker-config.ts";
import { type BrokerCounts, createTally, type DropReason } from "./broker-counts.ts";
import type { ClientAccess, ClientRights, PublishedPacket, RefusalReason } from "./client-access.ts";
import { type Connections, createConnections, networkOf } from "./connections.ts";
import { limitPackets, type PacketScanner } from "./limit-packets.ts";
import { type ClientAllowance, ClientAllowances, maxDelayedBytes } from "./publish-pace.ts";
import { createRefusalDelay } from "./refusal-delay.ts";
import type { RetainedMessages } from "./retained/retained-messages.ts";

/** Packets as aedes hands them over, with a payload that can be replaced. */
interface Payload {
  readonly topic: string;
  payload: Buffer | string;
  readonly retain?: boolean;
  readonly qos?: number;
}

/** An admitted client. */
interface Guest {
  readonly rights: ClientRights;
  readonly allowance: ClientAllowance;
  readonly filters: Set<string>;
  /** Resolves when the delayed messages before it may continue: order is kept. */
  turn: Promise<void>;
}

type Refusal = { readonly refused: RefusalReason; readonly detail: string };
type Hooks = Required<
  Pick<AedesOptions, "preConnect" | "authenticate" | "authorizePublish" | "authorizeSubscribe" | "authorizeForward">
>;

export interface ClientGateParts {
  readonly access: ClientAccess;
  readonly limits: BrokerLimits;
  readonly retained: RetainedMessages;
  /** Handles a message; one whose handling fails is not acknowledged. */
  readonly handle: (message: BrokerMessage) => Promise<void>;
  readonly counted: CountedLog;
}

/** Cost of a subscription in messages, as the broker searches all retained messages. */
const subscriptionCost = 10;
/** Maximum keep-alive that a client may ask for; a silent connection ends after one and a half times as long. */
const maxKeepAliveS = 3600;
const maxShownLength = 200;
/** Maximum observers: they share one secret and choose their client ids. */
const maxObservers = 32;

/** Answers after a delay, or as soon as the peer disconnects: what it sent would stay in memory until then. */
function answerLater(socket: Socket, delayMs: number, answer: () => void): void {
  const onClose = () => {
    clearTimeout(timer);
    answer();
  };
  const timer = setTimeout(() => {
    socket.removeListener("close", onClose);
    answer();
  }, delayMs).unref();
  if (socket.destroyed) onClose();
  else socket.once("close", onClose);
}

function asPublished({ topic, retain, qos, payload }: Payload): PublishedPacket {
  return { topic, retain: retain === true, qos: qos ?? 0, bytes: Buffer.byteLength(payload ?? "") };
}

/** Checks between a socket and the broker: admission, rights and rates. */
export class ClientGate {
  readonly #parts: ClientGateParts;
  readonly #connections: Connections;
  readonly #allowances: ClientAllowances;
  readonly #refusals = createRefusalDelay(() => performance.now());
  readonly #guests = new WeakMap<Client, Guest>();
  readonly #wills = new WeakMap<Client, Payload>();
  readonly #scanners = new WeakMap<Socket, PacketScanner>();
  readonly #certificates = new WeakMap<Socket, DeviceCertificate>();
  /** Connections by the agent they speak for. */
  readonly #sockets = new Map<string, Set<Socket>>();
  readonly #refused = createTally<RefusalReason>();
  readonly #dropped = createTally<DropReason>();
  /** Connections of agents themselves, not of their doctors. */
  readonly #agents = new WeakSet<Socket>();
  #takenOver = 0;
  #observers = 0;
  #deniedSubscriptions = 0;
  #slowedMs = 0;

  constructor(parts: ClientGateParts) {
    this.#parts = parts;
    this.#allowances = new ClientAllowances(parts.limits, () => performance.now());
    this.#connections = createConnections(parts.limits, (reason, address) => {
      this.#dropped.add(reason);
      this.#note("MQTT connections were closed: too many, or no login in time", { reason, address });
    });
  }

  /** Counts a connection before anything is known of it; false: it was ended. */
  accept(socket: Socket): boolean {
    return this.#connections.accept(socket);
  }

  /**
   * Watches what an accepted connection sends, before aedes takes it.
   * @param certificate proven to belong to the peer; null: it shows none
   */
  watch(socket: Socket, certificate: DeviceCertificate | null): void {
    if (certificate !== null) this.#certificates.set(socket, certificate);
    const scanner = limitPackets(socket, ({ reason, detail }) => {
      this.#dropped.add(reason);
      this.#note(`an MQTT connection was closed (${reason})`, { detail, address: networkOf(socket.remoteAddress) });
    });
    this.#scanners.set(socket, scanner);
  }

  /** Hooks that aedes calls. */
  readonly hooks: Hooks = {
    preConnect: (client, packet, done) => {
      // No session outlives its connection: a queue for an absent client would have no bound.
      packet.clean = true;
      packet.keepalive = Math.min(packet.keepalive || maxKeepAliveS, maxKeepAliveS);
      if (packet.will !== undefined) this.#wills.set(client, packet.will);
      done(null, true);
    },
    authenticate: (client, username, password, done) => {
      const admission = this.#admit(client, username, password);
      if ("refused" in admission) return this.#reject(client, username, admission, () => done(null, false));
      this.#welcome(client, admission.rights);
      done(null, true);
    },
    authorizePublish: (client, packet, done) => {
      const guest = client === null ? undefined : this.#guests.get(client);
      if (client === null || guest === undefined) return done(new Error("publishing this is not allowed"));
      this.#publish(client, guest, packet).then(
        () => done(null),
        (error) => done(error),
      );
    },
    authorizeSubscribe: (client, subscription, done) => {
      const guest = this.#guests.get(client);
      const { topic } = subscription;
      const isAllowed =
        guest?.rights.maySubscribe(topic) === true &&
        (guest.filters.has(topic) || guest.filters.size < guest.rights.maxSubscriptions);
      if (guest === undefined || !isAllowed) {
        this.#deniedSubscriptions += 1;
        const details = { client: client.id, name: guest?.rights.name, filter: topic };
        this.#note("an MQTT client's subscription was refused", details);
        return done(null, null);
      }
      guest.filters.add(topic);
      this.#waitForTurn(client, guest, subscriptionCost, 0).then(
        () => done(null, subscription),
        (error) => done(error),
      );
    },
    authorizeForward: (client, packet) => {
      if (this.#guests.get(client)?.rights.mayReceive(packet.topic) !== true) return null;
      const { writableLength, destroyed } = client.conn;
      if (writableLength <= this.#parts.limits.maxBufferedBytes) return packet;
      if (!destroyed)
        client.conn.destroy(this.#drop(client, "slow-reader", `${writableLength} bytes are waiting for it to read`));
      return null;
    },
  };

  /** Ends the connections of an agent. */
  disconnect(agentId: string): void {
    for (const socket of this.#sockets.get(agentId) ?? []) socket.destroy();
  }

  /** Ends the connections of agents whose password counts no longer, as when the time of passwords is over. */
  reviewPasswords(): void {
    const { access } = this.#parts;
    for (const [agentId, sockets] of this.#sockets) {
      const refusal = access.passwordRefusal?.(agentId) ?? null;
      if (refusal === null) continue;
      for (const socket of sockets) {
        if (this.#certificates.has(socket)) continue;
        this.#note("an MQTT client's password counts no longer", { name: agentId, detail: refusal });
        socket.destroy();
      }
    }
  }

  /** Ends all connections that aedes does not know of. */
  closeAll(): void {
    this.#connections.closeAll();
  }

  counts(): BrokerCounts {
    const { retained } = this.#parts;
    return {
      refused: this.#refused.counts,
      dropped: this.#dropped.counts,
      deniedSubscriptions: this.#deniedSubscriptions,
      slowedMs: this.#slowedMs,
      takenOver: this.#takenOver,
      connections: this.#connections.open,
      halfOpen: this.#connections.halfOpen,
      retainedMessages: retained.messages,
      retainedBytes: retained.bytes,
    };
  }

  #note(kind: string, details: Record<string, unknown>): void {
    const shown = Object.entries(details).map(([name, value]) => [
      name,
      typeof value === "string" ? cleanText(value.slice(0, maxShownLength)) : value,
    ]);
    this.#parts.counted.note(kind, Object.fromEntries(shown));
  }

  /** Counts a disconnection, and returns the error that causes it. */
  #drop(client: Client, reason: DropReason, detail: string, more: Record<string, unknown> = {}): Error {
    this.#dropped.add(reason);
    const name = this.#guests.get(client)?.rights.name;
    this.#note(`an MQTT client was disconnected (${reason})`, { client: client.id, name, detail, ...more });
    return new Error(detail);
  }

  #admit(client: Client, username?: string, password?: Buffer): { readonly rights: ClientRights } | Refusal {
    const certificate = this.#certificates.get(client.conn as Socket) ?? null;
    const admission = this.#parts.access.admit({ clientId: client.id, username, password, certificate });
    if ("refused" in admission) return admission;
    if (admission.rights.role === "observer" && this.#observers >= maxObservers)
      return { refused: "too-many", detail: `more than ${maxObservers} observers` };
    if (!this.#allowances.of(admission.rights).mayConnect())
      return { refused: "too-often", detail: "connects more often than an agent ever needs to" };
    const will = this.#wills.get(client);
    const denial = will === undefined ? null : admission.rights.denyPublish(asPublished(will));
    return denial === null ? admission : { refused: "will", detail: `last will: ${denial}` };
  }

  #welcome(client: Client, rights: ClientRights): void {
    const socket = client.conn as Socket;
    const allowance = this.#allowances.of(rights);
    this.#guests.set(client, { rights, allowance, filters: new Set(), turn: Promise.resolve() });
    this.#connections.admitted(socket);
    if (rights.role === "observer") {
      this.#observers += 1;
      socket.once("close", () => {
        this.#observers -= 1;
      });
    } else this.#rememberSocket(rights, socket);
    this.#scanners.get(socket)?.admitted();
  }

  #rememberSocket({ role, name: agentId }: ClientRights, socket: Socket): void {
    const sockets = this.#sockets.get(agentId) ?? new Set();
    if (role === "agent") {
      if ([...sockets].some((other) => this.#agents.has(other))) this.#takenOver += 1;
      this.#agents.add(socket);
    }
    this.#sockets.set(agentId, sockets.add(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#sockets.get(agentId) === sockets) this.#sockets.delete(agentId);
    });
  }

  #reject(client: Client, username: string | undefined, { refused, detail }: Refusal, answer: () => void): void {
    const socket = client.conn as Socket;
    const address = networkOf(socket.remoteAddress);
    this.#refused.add(refused);
    this.#note("an MQTT client was rejected", { reason: refused, detail, client: client.id, username, address });
    // A client that knows its secret is not guessing, whatever else is wrong.
    const isGuess = refused === "no-secret" || refused === "wrong-secret";
    this.#wills.delete(client);
    answerLater(socket, isGuess ? this.#refusals.next(address) : 0, answer);
  }

  /** Resolves when a message may be acknowledged. */
  async #publish(client: Client, guest: Guest, packet: Payload): Promise<void> {
    const { retained, limits, handle } = this.#parts;
    const published = asPublished(packet);
    const { topic, bytes } = published;
    const denial = guest.rights.denyPublish(published);
    if (denial !== null) throw this.#drop(client, "denied-publish", denial, { topic });
    if (published.retain && !retained.fits(topic, bytes))
      throw this.#drop(client, "retained-full", `more than ${limits.maxRetainedBytes} bytes of retained messages`);
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    // A retained payload is copied: it is a slice of the socket's read buffer and would keep all of it in memory.
    if (published.retain) {
      const copy = Buffer.allocUnsafeSlow(payload.length);
      payload.copy(copy);
      packet.payload = copy;
    }
    try {
      await this.#waitForTurn(client, guest, guest.rights.costOf(topic), bytes);
      await handle({ topic, payload, retained: false });
    } catch (error) {
      const details = { topic, client: client.id, err: describeError(error) };
      this.#note("a message could not be handled and is not acknowledged", details);
      throw error;
    }
  }

  /** Resolves when it is the message's turn. */
  async #waitForTurn(client: Client, guest: Guest, messages: number, bytes: number): Promise<void> {
    const { allowance, rights } = guest;
    const waitMs = allowance.take(messages, bytes);
    if (waitMs === null) throw this.#drop(client, "flood", `more than ${maxDelayedBytes} bytes would be queued`);
    if (waitMs > 0) {
      this.#slowedMs += waitMs;
      this.#note("an MQTT client publishes too fast and is slowed down", { name: rights.name, waitMs });
      const before = guest.turn;
      guest.turn = allowance.delay(waitMs, bytes).then(() => before);
    }
    return guest.turn;
  }
}
