import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { reservedSuffix } from "#protocol/identity/device-certificate.ts";
import { coversHost } from "./host-patterns.ts";

export type HostRule = "granted" | "reserved" | "not-configured";

/**
 * Decides whether a device may have a name or an address in its certificate.
 * @param allowed what devices may have besides this machine's own; null: anything that is not reserved
 */
export function decideHost(host: string, allowed: readonly string[] | null): HostRule {
  const name = host.toLowerCase();
  if (name.endsWith(reservedSuffix)) return "reserved";
  if (isLoopback(name) || allowed === null) return "granted";
  return allowed.some((pattern) => coversHost(pattern.toLowerCase(), name)) ? "granted" : "not-configured";
}
