import { isIP } from "node:net";
import { UsageError } from "#platform/errors.ts";
import type { ApiKey } from "./identify-caller.ts";

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const address = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  if (address === "localhost" || address === "::1") return true;
  const mapped = address.replace(/^::ffff:/, "");
  return isIP(mapped) === 4 && mapped.startsWith("127.");
}

/**
 * Other machines may reach the API only with a key, unless the operator says that it is meant so.
 * @param what is named in the message, e.g. "api".
 * @throws UsageError saying what to configure.
 */
export function assertListenAllowed(
  what: string,
  listen: { readonly host: string; readonly apiKeys: readonly ApiKey[]; readonly insecure: boolean },
): void {
  if (isLoopback(listen.host) || listen.apiKeys.length > 0 || listen.insecure) return;
  throw new UsageError(
    `${what}: refusing to listen on ${listen.host} without an API key, because other machines can reach it: ` +
      `configure a key, listen on 127.0.0.1, or allow it with --insecure`,
  );
}
