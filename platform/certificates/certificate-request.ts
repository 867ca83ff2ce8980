import { createPublicKey, type KeyObject } from "node:crypto";
import { loadX509 } from "./load-x509.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Imports a private key of P-256 for WebCrypto, which the library of certificates uses. */
export async function toCryptoKeys(key: KeyObject): Promise<CryptoKeyPair> {
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), algorithm, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("spki", new Uint8Array(spki), algorithm, true, ["verify"]),
  };
}

/** Makes a certificate request (PKCS#10) for a key, in base64. */
export async function makeRequest(key: KeyObject, commonName: string): Promise<string> {
  const { Pkcs10CertificateRequestGenerator } = await loadX509();
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys: await toCryptoKeys(key),
    signingAlgorithm: algorithm,
  });
  return request.toString("base64");
}

/** Returns the public key that a request asks a certificate for; null when it is none of P-256, or its sender does not hold the private key. */
export async function keyOfRequest(request: string): Promise<KeyObject | null> {
  const { Pkcs10CertificateRequest } = await loadX509();
  try {
    const parsed = new Pkcs10CertificateRequest(request);
    if (!(await parsed.verify())) return null;
    const key = createPublicKey({ key: Buffer.from(parsed.publicKey.rawData), type: "spki", format: "der" });
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : null;
  } catch {
    return null;
  }
}
