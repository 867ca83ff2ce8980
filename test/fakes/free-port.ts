import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Ports that no system hands out by itself: another test's server on port 0 can't take one before it is used. */
const range = [10_000, 32_000] as const;

/** Resolves with true if nobody listens on a loopback port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Returns a loopback port that was free a moment ago, and that nobody but another caller of this could choose by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...range);
    if (await isFree(port)) return port;
  }
}
