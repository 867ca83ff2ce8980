import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceIdentity } from "#agent/enrolment/device-identity.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { keyHash, keyToPem, newKey } from "#platform/certificates/device-key.ts";

/** A fleet's authority, and devices that have joined it. */
export async function makeFleet(fleet = "hall") {
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-fleet-"));
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  rmSync(stateDir, { recursive: true });
  return {
    ca: certificateToPem(authority.certificate),
    /** Makes as much of a device's identity as its certificate is about. */
    async join(agentId: string, lifeMs = 3_600_000) {
      const key = newKey();
      const publicKey = createPublicKey(key);
      const hosts = ["localhost", "127.0.0.1"];
      const certificate = await authority.issueAgent({ agentId, region: "", publicKey, lifeMs, hosts });
      const identity = { fleet, agentId, key, certificate, authority: authority.certificate } as DeviceIdentity;
      const pair = { key: keyToPem(key), cert: certificateToPem(certificate) };
      return { identity, pair, keyHash: keyHash(publicKey) };
    },
  };
}
