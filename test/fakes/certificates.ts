import { createPublicKey } from "node:crypto";
import {
  certificateToPem,
  issueCertificate,
  type LeafRequest,
  makeAuthority,
} from "#platform/certificates/certificate-authority.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";

/** An authority of its own that makes certificates for servers of this machine. */
export async function makeCertificates() {
  const key = newKey();
  const authority = await makeAuthority(key, "test", Date.now());
  return {
    authority: certificateToPem(authority),
    async issue(commonName: string, leaf: Partial<LeafRequest> = {}) {
      const own = newKey();
      const certificate = await issueCertificate(authority, key, {
        ...{ commonName, organisation: "test", uri: "thormesh://test/controller", use: "server" },
        ...{ dnsNames: ["localhost"], addresses: ["127.0.0.1", "::1"], publicKey: createPublicKey(own) },
        ...{ nowMs: Date.now(), lifeMs: 86_400_000 },
        ...leaf,
      });
      return { cert: certificateToPem(certificate), key: keyToPem(own) };
    },
  };
}
