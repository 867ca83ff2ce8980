import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { agentServerName } from "#protocol/identity/device-certificate.ts";
import type { FleetAccess } from "#protocol/messages.ts";
import type { PeerCertificates } from "../mesh/peer-certificates.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import { createPeerCheck, createPeerProofs } from "./peer-proof.ts";

/**
 * Creates the certificates by which this device and others of its fleet know each other.
 * @param parts.identity as it is now
 * @param parts.told what the controller told last of the fleet's devices, signed; undefined: nothing
 * @param parts.nowMs the machine's clock
 */
export function createPeerCertificates(parts: {
  readonly identity: () => DeviceIdentity;
  readonly told: () => FleetAccess["devices"];
  readonly nowMs: () => number;
}): PeerCertificates {
  const { identity, told, nowMs } = parts;
  const isRevoked = (keyHash: string) => told()?.revokedKeys.includes(keyHash) === true;
  return {
    areRequired() {
      const untilMs = told()?.passwordsUntilMs ?? null;
      return untilMs !== null && nowMs() >= untilMs;
    },
    isRevoked: (agentId) => told()?.revokedAgents.includes(agentId) === true,
    verify: createPeerCheck({ identity, isRevoked, nowMs }),
    trustFor(agentId) {
      const { authority, fleet } = identity();
      return { ca: [certificateToPem(authority)], serverName: agentServerName(fleet, agentId) };
    },
    proofFor: createPeerProofs(identity, nowMs),
  };
}
