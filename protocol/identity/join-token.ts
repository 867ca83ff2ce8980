import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** A token by which a device joins a fleet: it names the controller's authority and holds the seed of a key. */
export interface JoinToken {
  /** {@link keyHash} of the authority that may answer. */
  readonly pin: string;
  readonly id: string;
  /** Key that proves possession of the token; it never leaves the device. */
  readonly key: KeyObject;
}

const prefix = "TM1";
const form = /^TM1\.([A-Za-z0-9_-]{43})\.([a-z0-9]{10})\.([A-Za-z0-9_-]{43})$/;
/** Beginning of a PKCS#8 document with an Ed25519 seed (RFC 8410). */
const pkcs8Start = Buffer.from("302e020100300506032b657004220420", "hex");

function keyOfSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Start, seed]), format: "der", type: "pkcs8" });
}

/** Creates a token; its public key recognises it but can't be used to create one. */
export function newJoinToken(pin: string): { readonly text: string; readonly id: string; readonly publicKey: string } {
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const id = Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => (byte % 36).toString(36)).join("");
  const publicKey = createPublicKey(keyOfSeed(seed)).export({ type: "spki", format: "der" }).toString("base64url");
  return { text: [prefix, pin, id, Buffer.from(seed).toString("base64url")].join("."), id, publicKey };
}

/** Parses a token; null when it is none, or was not copied as a whole. */
export function parseJoinToken(text: string): JoinToken | null {
  const [, pin, id, secret] = form.exec(text.trim()) ?? [];
  if (pin === undefined || id === undefined || secret === undefined) return null;
  const seed = Buffer.from(secret, "base64url");
  return seed.length === 32 ? { pin, id, key: keyOfSeed(seed) } : null;
}

/** Reads the public key that {@link newJoinToken} gave; null when it is damaged. */
export function tokenKey(publicKey: string): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(publicKey, "base64url"), format: "der", type: "spki" });
  } catch {
    return null;
  }
}
