import { isIP } from "node:net";
import { UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
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

/** Warns where other machines reach an address without encryption: keys and texts are then readable on their way. @param what setting, such as "api" */
export function warnOfPlainText(what: string, host: string, isEncrypted: boolean, log: Logger): void {
  if (isLoopback(host) || isEncrypted) return;
  log.warn(
    { host },
    `${what}: other machines reach this without encryption, so that keys and texts can be read on their way: set ${what}.tls (docs/security.md), or let only a proxy with TLS reach it`,
  );
}
