import { createServer, type Server } from "node:net";

/** Range below the ports of outgoing connections on Linux, so that none of these takes a port between check and use. */
const firstPort = 20_000;
const lastPort = 32_000;

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

/**
 * Finds different free ports of the loopback address.
 * @param random returns numbers from 0 (included) to 1 (excluded)
 */
export async function findFreePorts(count: number, random: () => number): Promise<number[]> {
  const servers = new Map<number, Server>();
  try {
    for (let attempt = 0; servers.size < count; attempt += 1) {
      if (attempt > 50 * count) throw new Error(`no ${count} free ports between ${firstPort} and ${lastPort}`);
      const port = firstPort + Math.floor(random() * (lastPort - firstPort));
      if (servers.has(port)) continue;
      const server = await listen(port);
      if (server !== null) servers.set(port, server);
    }
    return [...servers.keys()];
  } finally {
    await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
