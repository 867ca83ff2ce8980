import type { Http2Server, Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Logger } from "#platform/log.ts";

export interface ConnectionLimits {
  /** Of all clients together. */
  readonly maxConnections: number;
  /** With keys configured: connections that have not shown one yet, in all and per address. */
  readonly maxUnproven: number;
  readonly maxUnprovenPerAddress: number;
  /** Until a client has said that it speaks HTTP/2. */
  readonly handshakeMs: number;
  /** With keys configured: maximum idle time of a connection that has shown none. */
  readonly unprovenIdleMs: number;
  /** Limits of a connection that has shown no key, where keys are configured: calls at once and per second. It is closed upon more. */
  readonly unprovenBurst: number;
  readonly unprovenPerS: number;
}

export const connectionLimits: Omit<ConnectionLimits, "maxConnections"> = {
  maxUnproven: 256,
  maxUnprovenPerAddress: 64,
  handshakeMs: 10_000,
  unprovenIdleMs: 30_000,
  unprovenBurst: 64,
  unprovenPerS: 32,
};

/** A client's connection. */
export interface Connection {
  readonly address: string;
  /** A call on it came with a valid key. */
  proven: boolean;
  /** Calls that are open, and of those the ones that may last. */
  openCalls: number;
  lastingCalls: number;
}

interface Known extends Connection {
  readonly session: Http2Session;
  spoken: boolean;
  /** Calls that it may still make without a key, at the time `callsAtMs`. */
  callsLeft: number;
  callsAtMs: number;
  /** Since it was opened or its last call ended. */
  idleSinceMs: number;
}

export interface Connections {
  /** Undefined for one that is closed. */
  of(session: Http2Session | undefined): Connection | undefined;
  /** Counts a call. False where the connection made too many without a key and was closed for it. */
  mayCall(connection: Connection): boolean;
  /** A call on the connection ended. */
  noteCallEnd(connection: Connection): void;
  count(): number;
  /** Closes what has said nothing, or shown no key, for too long. */
  sweep(): void;
  /** Connections that were refused or closed for others, ever. */
  refused(): number;
}

/** An IPv6 network of 64 bits is one client's as an IPv4 address is. */
export function clientNetwork(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill("0"), ...after];
  return groups.slice(0, 4).join(":");
}

/**
 * Bounds a server's connections. One that can't be had room for is closed at once; where a connection without a key and without a call is in
 * the way of a new one, the oldest such makes room.
 * @param keysAsked whether clients can show a key at all
 */
export function guardConnections(
  server: Http2Server,
  limits: ConnectionLimits,
  parts: { readonly keysAsked: boolean; readonly nowMs: () => number; readonly log: Logger },
): Connections {
  const { keysAsked, nowMs, log } = parts;
  const known = new Map<Http2Session, Known>();
  let refused = 0;
  let saidMs = Number.NEGATIVE_INFINITY;

  const close = (session: Http2Session) => {
    known.delete(session);
    session.destroy();
  };

  const unproven = () => (keysAsked ? [...known.values()].filter(({ proven }) => !proven) : []);

  /** At most one line a minute: whoever opens connections could fill the log. */
  const say = (reason: string) => {
    refused += 1;
    if (nowMs() - saidMs < 60_000) return;
    saidMs = nowMs();
    log.warn({ connections: known.size, refused, reason }, "gRPC connections are refused");
  };

  /** Closes the oldest of those that nothing is lost with. */
  const makeRoom = (candidates: readonly Known[]): boolean => {
    const idle = candidates.find(({ openCalls }) => openCalls === 0);
    if (idle === undefined) return false;
    close(idle.session);
    return true;
  };

  const mayCome = (address: string): boolean => {
    const others = unproven();
    const own = others.filter((connection) => connection.address === address);
    if (keysAsked && own.length >= limits.maxUnprovenPerAddress && !makeRoom(own)) {
      say("too many without a key from one address");
      return false;
    }
    if (keysAsked && others.length >= limits.maxUnproven && !makeRoom(unproven())) {
      say("too many without a key");
      return false;
    }
    if (known.size >= limits.maxConnections && !makeRoom(unproven())) {
      say("too many connections");
      return false;
    }
    return true;
  };

  // What is refused never becomes a session, which costs far more.
  const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (!mayCome(clientNetwork(socket.remoteAddress ?? ""))) socket.destroy();
    else for (const listener of listeners) listener.call(server, socket);
  });

  server.on("session", (session: Http2Session) => {
    const connection: Known = {
      session,
      address: clientNetwork(session.socket.remoteAddress ?? ""),
      proven: false,
      openCalls: 0,
      lastingCalls: 0,
      spoken: false,
      callsLeft: limits.unprovenBurst,
      callsAtMs: nowMs(),
      idleSinceMs: nowMs(),
    };
    known.set(session, connection);
    session.once("remoteSettings", () => {
      connection.spoken = true;
    });
    session.once("close", () => known.delete(session));
  });

  return {
    of: (session) => (session === undefined ? undefined : known.get(session)),
    mayCall(connection) {
      const one = connection as Known;
      if (!keysAsked || one.proven) return true;
      const now = nowMs();
      const earned = ((now - one.callsAtMs) / 1000) * limits.unprovenPerS;
      one.callsLeft = Math.min(limits.unprovenBurst, one.callsLeft + earned) - 1;
      one.callsAtMs = now;
      if (one.callsLeft >= 0) return true;
      say("too many calls without a key");
      close(one.session);
      return false;
    },
    noteCallEnd(connection) {
      (connection as Known).idleSinceMs = nowMs();
    },
    count: () => known.size,
    sweep() {
      const now = nowMs();
      for (const { session, spoken, proven, openCalls, idleSinceMs } of known.values()) {
        const idleMs = now - idleSinceMs;
        if (!spoken && idleMs > limits.handshakeMs) close(session);
        else if (keysAsked && !proven && openCalls === 0 && idleMs > limits.unprovenIdleMs) close(session);
      }
    },
    refused: () => refused,
  };
}
