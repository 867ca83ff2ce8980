import { createHmac, timingSafeEqual } from "node:crypto";

/** Time for which a signature is valid, each way: the clocks of a fleet differ. */
const validForMs = 10 * 60_000;

const scheme = "Thormesh";
const form = /^thormesh ([A-Za-z0-9._-]{1,64});(\d{13});([0-9a-f]{64})$/i;

const sign = (secret: string, peer: string, timeMs: string, path: string) =>
  createHmac("sha256", secret).update(`${peer}\n${timeMs}\n${path}`).digest();

/**
 * Returns the secret by which agents with the same keys know each other's requests. Only who knows all keys can make it; where there is one key
 * its holder can, so a fleet with tenants needs a secret of its own.
 */
export function secretOfKeys(keys: readonly string[]): string | null {
  if (keys.length === 0) return null;
  return createHmac("sha256", "thormesh mesh")
    .update([...keys].sort().join("\n"))
    .digest("hex");
}

/** Returns the `Authorization` of a request to a peer: unlike a key, it is of no use for another path or later. */
export function signPeerRequest(secret: string, peer: string, path: string, nowMs: number): string {
  const timeMs = String(Math.round(nowMs));
  return `${scheme} ${peer};${timeMs};${sign(secret, peer, timeMs, path).toString("hex")}`;
}

/** Returns the peer that signed a request for this path; null where the header is none, not by this secret, or too old. */
export function verifyPeerRequest(
  authorization: string | null,
  secret: string,
  path: string,
  nowMs: number,
): string | null {
  const [, peer, timeMs, signature] = form.exec(authorization ?? "") ?? [];
  if (peer === undefined || timeMs === undefined || signature === undefined) return null;
  if (Math.abs(nowMs - Number(timeMs)) > validForMs) return null;
  return timingSafeEqual(sign(secret, peer, timeMs, path), Buffer.from(signature, "hex")) ? peer : null;
}
