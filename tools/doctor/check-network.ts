import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { type CheckResult, failed, ok } from "./check.ts";

const connectMs = 3_000;

/** Checks that the agent can listen on the address, or already does. */
export async function checkListen(
  host: string,
  port: number,
  hasKey: boolean,
  encrypted = false,
): Promise<CheckResult> {
  const name = "HTTP address";
  const address = `${host}:${port}`;
  const open = isLoopback(host) ? "this machine only" : hasKey ? "with an API key" : "WITHOUT an API key";
  try {
    const server = Bun.serve({ hostname: host, port, reusePort: false, fetch: () => new Response() });
    await server.stop(true);
    return ok(name, `${address} is free; ${open}`);
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") {
      return failed(name, `${address}: ${(error as Error).message}`, "set serving.host and serving.port");
    }
    const isAgent = await fetchBounded(`${encrypted ? "https" : "http"}://${address}/livez`, {
      ...{ timeoutMs: connectMs, maxBytes: 64 * 1024 },
      tls: { rejectUnauthorized: false },
    }).then(
      (response) => response.ok,
      () => false,
    );
    if (isAgent) return ok(name, `${address} is already served by a running agent; ${open}`);
    return failed(name, `${address} is in use by another program`, "stop it, or set serving.port");
  }
}
