import type { Socket } from "node:net";
import type { AedesOptions, Client } from "aedes";
import { cleanText } from "#platform/clean-text.ts";
import { describeError } from "#platform/errors.ts";
import type { CountedLog } from "#platform/log.ts";
import type { BrokerMessage } from "#protocol/broker.ts";
import type { BrokerLimits } from "./broker-config.ts";
import { type BrokerCounts, createTally, type DropReason } from "./broker-counts.ts";
import type { ClientAccess, ClientRights, PublishedPacket, RefusalReason } from "./client-access.ts";
import { createConnections, networkOf } from "./connections.ts";
import { limitPackets, type PacketScanner } from "./limit-packets.ts";
import { createPublishPace, type PublishPace } from "./publish-pace.ts";
import { createRefusalDelay } from "./refusal-delay.ts";
import type { RetainedMessages } from "./retained-messages.ts";

/** The packets aedes hands over, with a payload that can be replaced. */
interface Payload {
  readonly topic: string;
  payload: Buffer | string;
  readonly retain?: boolean;
  readonly qos?: number;
}

/** Rate limit of an agent, over all its connections. */
interface Allowance {
  readonly publishes: PublishPace;
  readonly connects: PublishPace;
  heldBackBytes: number;
}

/** An admitted client. */
interface Guest {
  readonly rights: ClientRights;
  readonly allowance: Allowance;
  readonly filters: Set<string>;
  /** Resolves when the messages held back before it may go on: order is kept. */
  turn: Promise<void>;
}

export interface ClientGateParts {
  readonly access: ClientAccess;
  readonly limits: BrokerLimits;
  readonly retained: RetainedMessages;
  /** Stores what is to be stored; what it rejects is not acknowledged. */
  readonly handle: (message: BrokerMessage) => Promise<void>;
  readonly counted: CountedLog;
}

/** Checks between a socket and the broker: admission, rights and rates. */
export interface ClientGate {
  /** Takes a connection in, before aedes does; false: it was ended. */
  take(socket: Socket): boolean;
  readonly hooks: Required<
    Pick<AedesOptions, "preConnect" | "authenticate" | "authorizePublish" | "authorizeSubscribe" | "authorizeForward">
  >;
  /** Ends all connections that aedes does not know of. */
  closeAll(): void;
  counts(): BrokerCounts;
}

/** A subscription makes the broker search all retained messages. */
const subscriptionCost = 10;
/** Longest keep-alive a client may ask for; a silent connection ends after one and a half times as long. */
const maxKeepAliveS = 3600;
const maxShownLength = 200;
/** Observers share one secret and choose their client ids, so the number has to be bounded here. */
const maxObservers = 32;
/** More agents than one controller's fleet has. */
const maxAllowances = 20_000;
/** Connections of one agent: each may bring a last will, and costs the work of letting it in. */
const connects = { messagesPerS: 1, bytesPerS: 1, burstS: 60 } as const;
/** Of one agent, over all its connections: what waits is in memory, also after a connection has ended. With more it is disconnected. */
const maxHeldBackBytes = 4 * 1024 * 1024;
/** Memory of a message beside its payload. */
const heldBackOverheadBytes = 512;

/** A peer that has gone is not waited for: what it sent would stay in memory until then. */
function answerLater(socket: Socket, delayMs: number, answer: () => void): void {
  const gone = () => {
    clearTimeout(timer);
    answer();
  };
  const timer = setTimeout(() => {
    socket.removeListener("close", gone);
    answer();
  }, delayMs).unref();
  if (socket.destroyed) gone();
  else socket.once("close", gone);
}

function bytesOf({ payload }: Payload): number {
  return Buffer.byteLength(payload ?? "");
}

function asPublished(packet: Payload): PublishedPacket {
  return {
    topic: packet.topic,
    retain: packet.retain === true,
    qos: packet.qos ?? 0,
    bytes: bytesOf(packet),
  };
}

export function createClientGate({ access, limits, retained, handle, counted }: ClientGateParts): ClientGate {
  const nowMs = () => performance.now();
  const guests = new WeakMap<Client, Guest>();
  const wills = new WeakMap<Client, Payload>();
  const scanners = new WeakMap<Socket, PacketScanner>();
  /** By agent: a new connection must not start with a fresh burst. Least recently connected first. */
  const allowances = new Map<string, Allowance>();
  const refused = createTally<RefusalReason>();
  const dropped = createTally<DropReason>();
  const refusals = createRefusalDelay(nowMs);
  let observers = 0;
  let deniedSubscriptions = 0;
  let slowedMs = 0;

  const note = (kind: string, details: Record<string, unknown>) =>
    counted.note(
      kind,
      Object.fromEntries(
        Object.entries(details).map(([name, value]) => [
          name,
          typeof value === "string" ? cleanText(value.slice(0, maxShownLength)) : value,
        ]),
      ),
    );
  const connections = createConnections(limits, (reason, address) => {
    dropped.add(reason);
    note("MQTT connections were closed: too many, or no login in time", { reason, address });
  });
  const drop = (client: Client, reason: DropReason, detail: string, more: Record<string, unknown> = {}): Error => {
    dropped.add(reason);
    const name = guests.get(client)?.rights.name;
    note(`an MQTT client was disconnected (${reason})`, { client: client.id, name, detail, ...more });
    return new Error(detail);
  };

  const admit = (client: Client, username: string | undefined, password: Buffer | undefined) => {
    const admission = access.admit({ clientId: client.id, username, password });
    if ("refused" in admission) return admission;
    if (admission.rights.role === "observer" && observers >= maxObservers)
      return { refused: "too-many" as const, detail: `more than ${maxObservers} observers` };
    const connectPace = allowanceOf(admission.rights).connects;
    if (!connectPace.tryTake(1))
      return { refused: "too-often" as const, detail: "connects more often than an agent has reason to" };
    const will = wills.get(client);
    const denial = will === undefined ? null : admission.rights.denyPublish(asPublished(will));
    return denial === null ? admission : { refused: "will" as const, detail: `last will: ${denial}` };
  };

  const newAllowance = (): Allowance => ({
    publishes: createPublishPace(limits, nowMs),
    connects: createPublishPace(connects, nowMs),
    heldBackBytes: 0,
  });
  const allowanceOf = ({ role, name }: ClientRights): Allowance => {
    if (role === "observer") return newAllowance();
    const key = `${role} ${name}`;
    const known = allowances.get(key) ?? newAllowance();
    allowances.delete(key);
    allowances.set(key, known);
    if (allowances.size > maxAllowances) allowances.delete(allowances.keys().next().value as string);
    return known;
  };

  /** Resolves when it is the message's turn. */
  const heldBack = async (client: Client, guest: Guest, messages: number, bytes: number): Promise<void> => {
    const { allowance } = guest;
    const memory = bytes + heldBackOverheadBytes;
    if (allowance.heldBackBytes > 0 && allowance.heldBackBytes + memory > maxHeldBackBytes)
      throw drop(client, "flood", `more than ${maxHeldBackBytes} bytes would have to wait for their turn`);
    const waitMs = allowance.publishes.take(messages, bytes);
    if (waitMs === 0) return guest.turn;
    slowedMs += waitMs;
    note("an MQTT client publishes too fast and is slowed down", { name: guest.rights.name, waitMs });
    const before = guest.turn;
    allowance.heldBackBytes += memory;
    guest.turn = Bun.sleep(waitMs).then(() => {
      allowance.heldBackBytes -= memory;
      return before;
    });
    return guest.turn;
  };

  const hooks: ClientGate["hooks"] = {
    preConnect(client, packet, done) {
      // No session outlives its connection: a queue for an absent client would have no bound.
      packet.clean = true;
      packet.keepalive = Math.min(packet.keepalive || maxKeepAliveS, maxKeepAliveS);
      if (packet.will !== undefined) wills.set(client, packet.will);
      done(null, true);
    },
    authenticate(client, username, password, done) {
      const socket = client.conn as Socket;
      const admission = admit(client, username, password);
      if ("rights" in admission) {
        guests.set(client, {
          rights: admission.rights,
          allowance: allowanceOf(admission.rights),
          filters: new Set(),
          turn: Promise.resolve(),
        });
        connections.admitted(socket);
        if (admission.rights.role === "observer") {
          observers += 1;
          socket.once("close", () => {
            observers -= 1;
          });
        }
        scanners.get(socket)?.admitted();
        return done(null, true);
      }
      refused.add(admission.refused);
      const network = networkOf(socket.remoteAddress);
      note("an MQTT client was rejected", {
        reason: admission.refused,
        detail: admission.detail,
        client: client.id,
        username,
        address: network,
      });
      // A client that knows its secret is not guessing, whatever else is wrong.
      const isGuess = admission.refused === "no-secret" || admission.refused === "wrong-secret";
      wills.delete(client);
      answerLater(socket, isGuess ? refusals.next(network) : 0, () => done(null, false));
    },
    authorizePublish(client, packet, done) {
      const guest = client === null ? undefined : guests.get(client);
      if (client === null || guest === undefined) return done(new Error("publishing this is not allowed"));
      const published = asPublished(packet);
      const denial = guest.rights.denyPublish(published);
      const { topic, bytes } = published;
      if (denial !== null) return done(drop(client, "denied-publish", denial, { topic }));
      if (published.retain && !retained.fits(topic, bytes))
        return done(drop(client, "retained-full", `more than ${limits.maxRetainedBytes} bytes of retained messages`));
      const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
      // A retained payload is copied: it is a slice of the socket's read buffer and would keep all of it in memory.
      if (published.retain) {
        const copy = Buffer.allocUnsafeSlow(payload.length);
        payload.copy(copy);
        packet.payload = copy;
      }
      heldBack(client, guest, guest.rights.costOf(topic), bytes)
        .then(() => handle({ topic, payload, retained: false }))
        .then(
          () => done(null),
          (error) => {
            note("a message could not be handled and is not acknowledged", {
              topic,
              client: client.id,
              err: describeError(error),
            });
            done(error);
          },
        );
    },
    authorizeSubscribe(client, subscription, done) {
      const guest = guests.get(client);
      const { topic } = subscription;
      const isAllowed =
        guest?.rights.maySubscribe(topic) === true &&
        (guest.filters.has(topic) || guest.filters.size < guest.rights.maxSubscriptions);
      if (guest === undefined || !isAllowed) {
        deniedSubscriptions += 1;
        note("an MQTT client's subscription was refused", {
          client: client.id,
          name: guest?.rights.name,
          filter: topic,
        });
        return done(null, null);
      }
      guest.filters.add(topic);
      heldBack(client, guest, subscriptionCost, 0).then(
        () => done(null, subscription),
        (error) => done(error),
      );
    },
    authorizeForward(client, packet) {
      const guest = guests.get(client);
      if (guest?.rights.mayReceive(packet.topic) !== true) return null;
      const { writableLength } = client.conn;
      if (writableLength <= limits.maxBufferedBytes) return packet;
      if (!client.conn.destroyed)
        client.conn.destroy(drop(client, "slow-reader", `${writableLength} bytes are waiting for it to read`));
      return null;
    },
  };

  return {
    take(socket) {
      if (!connections.accept(socket)) return false;
      const scanner = limitPackets(socket, ({ reason, detail }) => {
        dropped.add(reason);
        note(`an MQTT connection was closed (${reason})`, { detail, address: networkOf(socket.remoteAddress) });
      });
      scanners.set(socket, scanner);
      return true;
    },
    hooks,
    closeAll: () => connections.closeAll(),
    counts: () => ({
      refused: refused.counts,
      dropped: dropped.counts,
      deniedSubscriptions,
      slowedMs,
      connections: connections.open,
      halfOpen: connections.halfOpen,
      retainedMessages: retained.messages,
      retainedBytes: retained.bytes,
    }),
  };
}
