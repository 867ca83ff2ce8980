import { isIP } from "node:net";

/** Suffixes that can't be registered in the public DNS (RFC 6761, 6762, 8375, 9476), so that no web page can point one at this machine. */
const privateSuffixes = [".localhost", ".local", ".internal", ".home.arpa", ".test"];

/**
 * True if a request may name this server by `host`. A web page can point its own DNS name at this machine and then reach the server as its own
 * site (DNS rebinding); it can't do so with an address, a single label or a private suffix.
 * @param host in lower case, without port; an IPv6 address in brackets
 * @param names further names of this server in lower case: its host name and configured ones
 */
export function isAllowedHost(host: string, names: ReadonlySet<string>): boolean {
  if (isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) return true;
  if (names.has(host)) return true;
  return !host.includes(".") || privateSuffixes.some((suffix) => host.endsWith(suffix));
}
