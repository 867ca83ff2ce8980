import { isIP } from "node:net";
import { UsageError } from "#platform/errors.ts";
import type { ApiKey } from "./identify-caller.ts";

/** True if only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const address = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  if (address === "localhost" || address === "::1") return true;
  const mapped = address.replace(/^::ffff:/, "");
  return isIP(mapped) === 4 && mapped.startsWith("127.");
}

/**
 * Refuses an address that other machines can reach without a key, unless `insecure` allows it.
 * @param what name in the error, such as "api"
 * @throws UsageError with what to configure
 */
export function assertListenAllowed(
  what: string,
  listen: {
    readonly host: string;
    readonly apiKeys: readonly ApiKey[];
    readonly insecure: boolean;
    readonly hasIssuedKeys?: boolean;
  },
): void {
  if (isLoopback(listen.host) || listen.apiKeys.length > 0 || listen.insecure || listen.hasIssuedKeys) return;
  throw new UsageError(
    `${what}: refusing to listen on ${listen.host} without an API key, because other machines can reach it: ` +
      `configure a key, listen on 127.0.0.1, or allow it with --insecure`,
  );
}
