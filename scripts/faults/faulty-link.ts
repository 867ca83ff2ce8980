import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";

/** State of a link: it passes everything on, late, nothing any more without a word (half-open), or refuses connections. */
export type LinkState = "open" | { readonly delayMs: number } | "half-open" | "closed";

export interface FaultyLink {
  readonly port: number;
  set(state: LinkState): void;
  /** Cuts all connections, as a power cut does; new ones are taken. */
  cut(): void;
  stop(): void;
}

/** A wire between an agent and its broker that can fail, for machines where network namespaces are not permitted. */
export async function openFaultyLink(targetPort: number): Promise<FaultyLink> {
  let state: LinkState = "open";
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on("data", (chunk) => {
      if (state === "half-open") return;
      if (typeof state === "object") setTimeout(() => to.writable && to.write(chunk), state.delayMs);
      else to.write(chunk);
    });
    from.on("close", () => {
      sockets.delete(from);
      // The end of one side is as little heard of as its words.
      if (state !== "half-open") to.destroy();
    });
    from.on("error", () => undefined);
  };
  const server = createServer((near) => {
    if (state === "closed") return void near.destroy();
    if (state === "half-open") {
      sockets.add(near);
      near.on("error", () => undefined);
      return;
    }
    const far = createConnection(targetPort, "127.0.0.1");
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      const wasDead = state === "half-open";
      state = next;
      // What went nowhere stays nowhere: both ends find out by themselves, and connect anew.
      if (next === "closed" || (wasDead && next === "open")) cut();
    },
    cut,
    stop() {
      cut();
      server.close();
    },
  };
}
