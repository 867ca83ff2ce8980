import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

/** Key pair of P-256, which every broker and TLS stack takes. */
export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** One line that holds a private key (PKCS#8 in base64), as secret files keep it. */
export function keyToLine(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "der" }).toString("base64");
}

/** Parses such a line; null when it holds no key of P-256. */
export function keyFromLine(line: string): KeyObject | null {
  try {
    const key = createPrivateKey({ key: Buffer.from(line, "base64"), type: "pkcs8", format: "der" });
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : null;
  } catch {
    return null;
  }
}

export function keyToPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** SHA-256 of a public key's SubjectPublicKeyInfo, in base64url: names a key for good, whichever certificates it has. */
export function keyHash(key: KeyObject): string {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
}
