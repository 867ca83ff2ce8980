import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import type { CheckResult } from "./check.ts";

const connectMs = 3_000;

/** Checks that the agent can listen on the address, or already does. */
export async function checkListen(host: string, port: number, hasKey: boolean): Promise<CheckResult> {
  const name = "HTTP address";
  const address = `${host}:${port}`;
  const open = isLoopback(host) ? "this machine only" : hasKey ? "with an API key" : "WITHOUT an API key";
  try {
    const server = Bun.serve({ hostname: host, port, reusePort: false, fetch: () => new Response() });
    await server.stop(true);
    return { name, status: "ok", detail: `${address} is free; ${open}` };
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") {
      return {
        name,
        status: "failed",
        detail: `${address}: ${(error as Error).message}`,
        advice: "set serving.host and serving.port",
      };
    }
    const isAgent = await fetchBounded(`http://${address}/livez`, { timeoutMs: connectMs, maxBytes: 64 * 1024 }).then(
      (response) => response.ok,
      () => false,
    );
    if (isAgent) return { name, status: "ok", detail: `${address} is already served by a running agent; ${open}` };
    return {
      name,
      status: "failed",
      detail: `${address} is in use by another program`,
      advice: "stop it, or set serving.port",
    };
  }
}
