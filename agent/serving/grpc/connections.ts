import type { Http2Server, Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";

/** Limits of connections that have shown no key where keys are configured, and of all. */
export const connectionLimits = {
  /** Maximum number of connections without a key, in total and per address. */
  maxUnproven: 256,
  maxUnprovenPerAddress: 64,
  /** Maximum time until a client has sent its HTTP/2 settings, with a key or without. */
  handshakeMs: 10_000,
  /** Maximum idle time without a key. */
  unprovenIdleMs: 30_000,
  /** Calls at once and per second without a key. A connection that makes more is closed. */
  unprovenBurst: 64,
  unprovenPerS: 32,
};
export type ConnectionLimits = typeof connectionLimits & { readonly maxConnections: number };

export interface Connection {
  readonly address: string;
  /** A call on it came with a valid key. */
  proven: boolean;
  /** Open calls, and those of them that are streams. */
  openCalls: number;
  lastingCalls: number;
}

interface Known extends Connection {
  readonly session: Http2Session;
  /** The client has sent its HTTP/2 settings. */
  spoken: boolean;
  /** Calls that it may still make without a key, at the time `callsAtMs`. */
  callsLeft: number;
  callsAtMs: number;
  /** Time at which it was opened or its last call ended. */
  idleSinceMs: number;
}

/** Network of a client: an IPv4 address, or 64 bits of an IPv6 address, which a single client may have to itself. */
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

/** Interval of the log lines about refused connections, which clients could otherwise fill the log with. */
const logIntervalMs = minuteMs;

/**
 * Bounds a server's connections. One above the limits is closed at once, unless there is a connection without a key and without a call: the
 * oldest such is then closed instead.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #keysAsked: boolean;
  readonly #nowMs: () => number;
  readonly #log: Logger;
  readonly #known = new Map<Http2Session, Known>();
  #refused = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  /** @param parts.keysAsked keys are configured */
  constructor(
    limits: ConnectionLimits,
    parts: { readonly keysAsked: boolean; readonly nowMs: () => number; readonly log: Logger },
  ) {
    this.#limits = limits;
    this.#keysAsked = parts.keysAsked;
    this.#nowMs = parts.nowMs;
    this.#log = parts.log;
  }

  /** Puts the bounds before the listeners that the server has now. */
  guard(server: Http2Server): void {
    // A refused socket never becomes a session, which would cost far more.
    const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (!this.#admit(clientNetwork(socket.remoteAddress ?? ""))) socket.destroy();
      else for (const listener of listeners) listener.call(server, socket);
    });
    server.on("session", (session: Http2Session) => this.#follow(session));
  }

  /** Finds a session's connection; undefined for one that is closed. */
  of(session: Http2Session | undefined): Connection | undefined {
    return session === undefined ? undefined : this.#known.get(session);
  }

  /** Counts a call. False where the connection made too many without a key and was closed for it. */
  mayCall(connection: Connection): boolean {
    const one = connection as Known;
    if (!this.#keysAsked || one.proven) return true;
    const now = this.#nowMs();
    const earned = ((now - one.callsAtMs) / 1000) * this.#limits.unprovenPerS;
    one.callsLeft = Math.min(this.#limits.unprovenBurst, one.callsLeft + earned) - 1;
    one.callsAtMs = now;
    if (one.callsLeft >= 0) return true;
    this.#noteRefusal("too many calls without a key");
    this.#close(one.session);
    return false;
  }

  noteCallEnd(connection: Connection): void {
    (connection as Known).idleSinceMs = this.#nowMs();
  }

  count(): number {
    return this.#known.size;
  }

  /** Closes connections that have sent nothing, or shown no key, for too long. */
  sweep(): void {
    const now = this.#nowMs();
    const { handshakeMs, unprovenIdleMs } = this.#limits;
    for (const { session, spoken, proven, openCalls, idleSinceMs } of this.#known.values()) {
      const idleMs = now - idleSinceMs;
      if (!spoken && idleMs > handshakeMs) this.#close(session);
      else if (this.#keysAsked && !proven && openCalls === 0 && idleMs > unprovenIdleMs) this.#close(session);
    }
  }

  #follow(session: Http2Session): void {
    const connection: Known = {
      session,
      address: clientNetwork(session.socket.remoteAddress ?? ""),
      proven: false,
      openCalls: 0,
      lastingCalls: 0,
      spoken: false,
      callsLeft: this.#limits.unprovenBurst,
      callsAtMs: this.#nowMs(),
      idleSinceMs: this.#nowMs(),
    };
    this.#known.set(session, connection);
    session.once("remoteSettings", () => {
      connection.spoken = true;
    });
    session.once("close", () => this.#known.delete(session));
  }

  #close(session: Http2Session): void {
    this.#known.delete(session);
    session.destroy();
  }

  #unproven(): Known[] {
    return this.#keysAsked ? [...this.#known.values()].filter(({ proven }) => !proven) : [];
  }

  #admit(address: string): boolean {
    const { maxConnections, maxUnproven, maxUnprovenPerAddress } = this.#limits;
    const others = this.#unproven();
    const own = others.filter((connection) => connection.address === address);
    const isFull = this.#keysAsked && own.length >= maxUnprovenPerAddress;
    if (isFull && !this.#closeIdle(own, "too many without a key from one address")) return false;
    if (this.#keysAsked && others.length >= maxUnproven && !this.#closeIdle(this.#unproven(), "too many without a key"))
      return false;
    return this.#known.size < maxConnections || this.#closeIdle(this.#unproven(), "too many connections");
  }

  /** Closes the oldest of the candidates that has no call, for a new one; false with a note of the reason where all have calls. */
  #closeIdle(candidates: readonly Known[], reason: string): boolean {
    const idle = candidates.find(({ openCalls }) => openCalls === 0);
    if (idle === undefined) this.#noteRefusal(reason);
    else this.#close(idle.session);
    return idle !== undefined;
  }

  #noteRefusal(reason: string): void {
    this.#refused += 1;
    if (this.#nowMs() - this.#loggedMs < logIntervalMs) return;
    this.#loggedMs = this.#nowMs();
    this.#log.warn({ connections: this.#known.size, refused: this.#refused, reason }, "gRPC connections are refused");
  }
}
