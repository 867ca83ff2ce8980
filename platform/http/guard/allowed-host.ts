import { isIP } from "node:net";

/** Suffixes that nobody can register in the public DNS (RFC 6761, 6762, 8375, 9476), so that no web page can point one at this machine. */
const privateSuffixes = [".localhost", ".local", ".internal", ".home.arpa", ".test"];

/**
 * Says whether a request may name this server by `host`. A web page can give its own DNS name this machine's address and then reach the server
 * as if from its own site (DNS rebinding); it can't do so with an address, a single label or a private suffix.
 * @param host in lower case, without port; an IPv6 address in brackets
 * @param names further names of this server, in lower case: its host name, those that are configured
 */
export function isAllowedHost(host: string, names: ReadonlySet<string>): boolean {
  if (isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) return true;
  if (names.has(host)) return true;
  return !host.includes(".") || privateSuffixes.some((suffix) => host.endsWith(suffix));
}
