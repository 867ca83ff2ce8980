import type { Static } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { Identifier, TimeMs } from "#protocol/bounds.ts";
import { isIssuedBy, parseCertificate, readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import { isSignedBy, readStatement, signStatement } from "#protocol/identity/signed-statement.ts";
import type { DeviceIdentity } from "./device-identity.ts";

const scheme = "Thormesh-Device";
const form = /^thormesh-device ([A-Za-z0-9+/]{64,4096}={0,2})\.([A-Za-z0-9_-]{2,2048})\.([A-Za-z0-9_-]{86})$/i;

/** Time for which a proof counts, each way: the clocks of a fleet differ. */
const validForMs = 10 * minuteMs;
/** Time after which a new one is made. */
const renewAfterMs = 2 * minuteMs;
/** Peers whose proofs are remembered. */
const maxKnown = 1_024;

/** Says who asks whom: a proof is of no use at another agent. */
const PeerStatement = strictObject({ fleet: Identifier, from: Identifier, to: Identifier, atMs: TimeMs });
type PeerStatement = Static<typeof PeerStatement>;

type Own = Pick<DeviceIdentity, "fleet" | "agentId" | "key" | "certificate" | "authority">;

/** Proves to other agents of the fleet who asks them, by this device's certificate. @param identity as it is now */
export function createPeerProofs(identity: () => Own, nowMs: () => number) {
  const made = new Map<string, { readonly by: Own; readonly atMs: number; readonly text: string }>();
  /** Returns the `Authorization` of requests to a peer, over a connection that is proven to be with it. */
  return (peer: string): string => {
    const own = identity();
    const known = made.get(peer);
    const atMs = Math.round(nowMs());
    if (known !== undefined && known.by === own && Math.abs(atMs - known.atMs) < renewAfterMs) return known.text;
    const said: PeerStatement = { fleet: own.fleet, from: own.agentId, to: peer, atMs };
    const { statement, signature } = signStatement(own.key, "peer", said);
    const text = `${scheme} ${own.certificate}.${Buffer.from(statement).toString("base64url")}.${signature}`;
    made.delete(peer);
    made.set(peer, { by: own, atMs, text });
    const [oldest] = made.keys();
    if (made.size > maxKnown && oldest !== undefined) made.delete(oldest);
    return text;
  };
}

interface Proven {
  readonly peer: string;
  readonly keyHash: string;
  readonly atMs: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Reads who made a proof for this agent; null for one that nobody of the fleet made. */
function readProof(authorization: string, own: Own): Proven | null {
  const [, certificate, statementText, signature] = form.exec(authorization) ?? [];
  if (certificate === undefined || statementText === undefined || signature === undefined) return null;
  const shown = readDeviceCertificate(certificate);
  if (shown === null || shown.fleet !== own.fleet) return null;
  const statement = Buffer.from(statementText, "base64url").toString();
  const said = readStatement(PeerStatement, { statement, signature });
  if (!said.ok || said.message.fleet !== own.fleet || said.message.to !== own.agentId) return null;
  if (said.message.from !== shown.agentId) return null;
  if (!isSignedBy(parseCertificate(certificate).publicKey, "peer", statement, signature)) return null;
  if (!isIssuedBy(certificate, own.authority)) return null;
  const { keyHash, notBeforeMs, notAfterMs } = shown;
  return { peer: shown.agentId, keyHash, atMs: said.message.atMs, notBeforeMs, notAfterMs };
}

/**
 * Creates a check of proofs that other agents send.
 * @param parts.isRevoked true for the key of a device that was shut out
 * @param parts.nowMs the machine's clock
 * @returns a function that returns the agent that sent a header; null where it proves none
 */
export function createPeerCheck(parts: {
  readonly identity: () => Own;
  readonly isRevoked: (keyHash: string) => boolean;
  readonly nowMs: () => number;
}): (authorization: string | null) => string | null {
  const { identity, isRevoked, nowMs } = parts;
  // Signatures are checked once; each agent sends its proof for minutes.
  const known = new Map<string, Proven>();
  return (authorization) => {
    if (authorization === null) return null;
    const before = known.get(authorization);
    const proven = before ?? readProof(authorization, identity());
    if (proven === null) return null;
    const now = nowMs();
    const isTimely = Math.abs(now - proven.atMs) <= validForMs;
    const isValid = now >= proven.notBeforeMs - validForMs && now <= proven.notAfterMs + validForMs;
    if (!isTimely || !isValid || isRevoked(proven.keyHash)) {
      known.delete(authorization);
      return null;
    }
    if (before === undefined) {
      known.set(authorization, proven);
      const [oldest] = known.keys();
      if (known.size > maxKnown && oldest !== undefined) known.delete(oldest);
    }
    return proven.peer;
  };
}
