import type { Socket } from "node:net";
import type { BrokerLimits } from "./broker-config.ts";
import type { DropReason } from "./broker-counts.ts";

/** Returns the network that an address is counted under: the address itself, for IPv6 its /64, which one host has to itself. */
export function networkOf(address: string | undefined): string {
  const plain = (address ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const before = head.split(":").filter((part) => part !== "");
  const after = (tail ?? "").split(":").filter((part) => part !== "");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...new Array<string>(zeros).fill("0"), ...after].slice(0, 4).join(":");
}

type Limits = Pick<BrokerLimits, "maxConnections" | "maxHalfOpen" | "maxHalfOpenPerAddress" | "halfOpenMs">;

export type Connections = ReturnType<typeof createConnections>;

/**
 * Bounds the number of connections, above all of those that have not authenticated.
 * @param onDrop is called for each connection that is ended here.
 */
export function createConnections(limits: Limits, onDrop: (reason: DropReason, address: string) => void) {
  const open = new Set<Socket>();
  /** Oldest first, by network. */
  const waiting = new Map<Socket, { readonly network: string; readonly timer: NodeJS.Timeout }>();
  const waitingOf = new Map<string, Set<Socket>>();

  const forget = (socket: Socket) => {
    const entry = waiting.get(socket);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    waiting.delete(socket);
    const others = waitingOf.get(entry.network);
    others?.delete(socket);
    if (others?.size === 0) waitingOf.delete(entry.network);
  };
  const drop = (socket: Socket | undefined, reason: DropReason) => {
    if (socket === undefined) return;
    onDrop(reason, waiting.get(socket)?.network ?? networkOf(socket.remoteAddress));
    forget(socket);
    socket.destroy();
  };

  return {
    /** Accepts a connection or ends it. Returns whether it was accepted. */
    accept(socket: Socket): boolean {
      // It was reset already.
      if (socket.destroyed) return false;
      if (open.size >= limits.maxConnections && waiting.size === 0) {
        drop(socket, "too-many");
        return false;
      }
      const network = networkOf(socket.remoteAddress);
      const neighbours = waitingOf.get(network) ?? new Set();
      // A client that knows its secret sends it at once, so the oldest connection is the least likely to log in.
      if (neighbours.size >= limits.maxHalfOpenPerAddress) drop(neighbours.values().next().value, "half-open");
      else if (waiting.size >= limits.maxHalfOpen || open.size >= limits.maxConnections)
        drop(waiting.keys().next().value, "half-open");
      open.add(socket);
      neighbours.add(socket);
      waitingOf.set(network, neighbours);
      waiting.set(socket, { network, timer: setTimeout(() => drop(socket, "half-open"), limits.halfOpenMs) });
      socket.once("close", () => {
        forget(socket);
        open.delete(socket);
      });
      return true;
    },
    /** Marks a connection as authenticated. */
    admitted: forget,
    closeAll(): void {
      for (const socket of open) socket.destroy();
    },
    get open(): number {
      return open.size;
    },
    get halfOpen(): number {
      return waiting.size;
    },
  };
}
