import type { KeyObject } from "node:crypto";
import { dayMs, hourMs } from "#platform/time.ts";
import { toCryptoKeys } from "./certificate-request.ts";
import { loadX509 } from "./load-x509.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Life of an authority: longer than that of any device. */
const authorityMs = 30 * 365 * dayMs;
/** Time by which certificates begin in the past: clocks differ. */
const backdatedMs = hourMs;

export interface LeafRequest {
  readonly commonName: string;
  readonly organisation: string;
  readonly publicKey: KeyObject;
  /** Identity, as a URI among the certificate's names. */
  readonly uri: string;
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  readonly use: "client" | "server" | "both";
  readonly nowMs: number;
  readonly lifeMs: number;
}

/** Writes a certificate (DER in base64, as messages and stores hold it) the way files and TLS want it. */
export function certificateToPem(certificate: string): string {
  return `-----BEGIN CERTIFICATE-----\n${certificate.replaceAll(/(.{64})(?=.)/g, "$1\n")}\n-----END CERTIFICATE-----\n`;
}

/** Makes the certificate (DER in base64) by which an authority signs; the same key may get another one later. */
export async function makeAuthority(key: KeyObject, commonName: string, nowMs: number): Promise<string> {
  const x509 = await loadX509();
  const keys = await toCryptoKeys(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + authorityMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return Buffer.from(certificate.rawData).toString("base64");
}

/** Signs a certificate for a key with an authority's key; both certificates are DER in base64. */
export async function issueCertificate(authority: string, key: KeyObject, leaf: LeafRequest): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority);
  const publicKey = new x509.PublicKey(new Uint8Array(leaf.publicKey.export({ type: "spki", format: "der" })));
  const { privateKey } = await toCryptoKeys(key);
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const uses = { client: [clientAuth], server: [serverAuth], both: [clientAuth, serverAuth] }[leaf.use];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [leaf.commonName] }, { O: [leaf.organisation] }],
    issuer: issuer.subjectName,
    notBefore: new Date(leaf.nowMs - backdatedMs),
    notAfter: new Date(leaf.nowMs + leaf.lifeMs),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(uses),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: leaf.uri },
        ...(leaf.dnsNames ?? []).map((value) => ({ type: "dns", value }) as const),
        ...(leaf.addresses ?? []).map((value) => ({ type: "ip", value }) as const),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return Buffer.from(certificate.rawData).toString("base64");
}

/** Positive number of 16 random bytes, in hex. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}
