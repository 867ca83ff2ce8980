import { UsageError } from "#platform/errors.ts";

/** Parses "HOST:PORT", ":PORT" (all addresses), "[::1]:PORT" or "PORT" (loopback only). @param option name for the error */
export function parseListen(text: string, option = "--listen"): { host: string; port: number } {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new UsageError(`${option}: expected HOST:PORT, got "${text}"`);
  const named = match[1] ?? match[2];
  if (named === undefined) return { host: "127.0.0.1", port };
  return { host: named === "" ? "0.0.0.0" : named, port };
}
