import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { certificateToPem, issueCertificate, makeAuthority } from "#platform/certificates/certificate-authority.ts";
import { keyFromLine, keyHash, keyToLine, keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { UsageError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { readStateSecret, writeStateSecret } from "#platform/files/state-secret.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import type { ServerNames } from "#platform/http/tls/server-names.ts";
import {
  agentServerName,
  agentUri,
  brokerServerName,
  brokerUri,
  controllerServerName,
  controllerUri,
  controllerUser,
} from "#protocol/identity/device-certificate.ts";

export const authorityFiles = { key: "ca.key", certificate: "ca.pem" } as const;

/** Private key and certificate in PEM. */
export interface OwnCertificate {
  readonly key: string;
  readonly cert: string;
}

/** The fleet's own certificate authority: it lets devices in, names the broker, and signs orders. */
export interface FleetAuthority {
  /** Certificate, DER in base64. */
  readonly certificate: string;
  /** Hash of its public key: what a join token pins. */
  readonly pin: string;
  readonly key: KeyObject;
  /** Certifies a device's key. @param device.hosts names and addresses under which it serves; default: it serves nobody by this certificate */
  issueAgent(device: {
    agentId: string;
    region: string;
    publicKey: KeyObject;
    lifeMs: number;
    hosts?: readonly string[];
  }): Promise<string>;
  /** Makes a key and a certificate for the fleet's broker. @param hosts its further names and addresses */
  issueBroker(lifeMs: number, hosts?: readonly string[]): Promise<OwnCertificate>;
  /** Makes a key and a certificate for the controller's API. */
  issueApi(lifeMs: number, names: ServerNames): Promise<OwnCertificate>;
  /** Makes a key and a certificate by which a broker knows the controller. */
  issueController(lifeMs: number): Promise<OwnCertificate>;
}

function readKey(path: string): KeyObject | null {
  const line = readStateSecret(path, "the authority's key");
  if (line === null) return null;
  const key = keyFromLine(line);
  if (key !== null) return key;
  throw new UsageError(`${path} does not contain a key: restore it from a copy`);
}

async function readCertificate(path: string, key: KeyObject): Promise<string> {
  const text = await readRegularText(path);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(text);
  } catch (cause) {
    throw new UsageError(`${path} does not contain a certificate: remove it, and it is recreated for the same key`, {
      cause,
    });
  }
  if (keyHash(certificate.publicKey) === keyHash(key)) return certificate.raw.toString("base64");
  throw new UsageError(`${path} does not belong to ${authorityFiles.key}: restore both from one copy`);
}

/**
 * Opens the fleet's authority in the controller's state directory; the first start makes it.
 * @throws UsageError when others can read its key, or it is damaged or lost.
 */
export async function openFleetAuthority(stateDir: string, fleet: string, nowMs: number): Promise<FleetAuthority> {
  const keyPath = join(stateDir, authorityFiles.key);
  const certificatePath = join(stateDir, authorityFiles.certificate);
  let key = readKey(keyPath);
  if (key === null) {
    if (existsSync(certificatePath)) {
      throw new UsageError(
        `${keyPath} is missing, though ${certificatePath} shows that there was one: restore it from a copy, or remove ${authorityFiles.certificate} to start over; then all devices must join again`,
      );
    }
    writeStateSecret(keyPath, `${keyToLine(newKey())}\n`);
    key = readKey(keyPath) as KeyObject;
  }
  // Made again where a power cut came between the two files: what devices trust is the key.
  if (!existsSync(certificatePath))
    writeSecretFile(certificatePath, certificateToPem(await makeAuthority(key, `thormesh ${fleet}`, nowMs)));
  const certificate = await readCertificate(certificatePath, key);
  return fleetAuthority(fleet, key, certificate);
}

function fleetAuthority(fleet: string, key: KeyObject, certificate: string): FleetAuthority {
  const issueServer = async (commonName: string, uri: string, lifeMs: number, names: ServerNames) => {
    const own = newKey();
    const cert = await issueCertificate(certificate, key, {
      ...{ commonName, organisation: fleet, uri, use: "server", nowMs: Date.now(), lifeMs },
      dnsNames: [...new Set(names.dnsNames)],
      addresses: [...new Set(names.addresses)],
      publicKey: createPublicKey(own),
    });
    return { key: keyToPem(own), cert: certificateToPem(cert) };
  };
  return {
    ...{ certificate, key, pin: keyHash(key) },
    issueAgent({ agentId, region, publicKey, lifeMs, hosts }) {
      const uri = agentUri(fleet, agentId, region);
      const names = { commonName: agentId, organisation: fleet };
      const nowMs = Date.now();
      // Agents of earlier versions refuse a certificate with names.
      if (hosts === undefined)
        return issueCertificate(certificate, key, { ...names, uri, publicKey, use: "client", nowMs, lifeMs });
      return issueCertificate(certificate, key, {
        ...{ ...names, uri, publicKey, use: "both", nowMs, lifeMs },
        dnsNames: [...new Set([agentServerName(fleet, agentId), ...hosts.filter((host) => isIP(host) === 0)])],
        addresses: [...new Set(hosts.filter((host) => isIP(host) !== 0))],
      });
    },
    async issueController(lifeMs) {
      const controllerKey = newKey();
      const cert = await issueCertificate(certificate, key, {
        ...{ commonName: controllerUser, organisation: fleet, uri: controllerUri(fleet), use: "client" },
        ...{ publicKey: createPublicKey(controllerKey), nowMs: Date.now(), lifeMs },
      });
      return { key: keyToPem(controllerKey), cert: certificateToPem(cert) };
    },
    issueApi: (lifeMs, { dnsNames, addresses }) =>
      issueServer(controllerServerName, controllerUri(fleet), lifeMs, {
        dnsNames: [controllerServerName, ...dnsNames],
        addresses,
      }),
    issueBroker: (lifeMs, hosts = []) =>
      issueServer(brokerServerName, brokerUri(fleet), lifeMs, {
        // Devices ask for the first name; the others are for tools that ask for an address.
        dnsNames: [brokerServerName, "localhost", ...ownNames(), ...hosts.filter((host) => isIP(host) === 0)],
        addresses: ["127.0.0.1", "::1", ...hosts.filter((host) => isIP(host) !== 0)],
      }),
  };
}

/** This machine's name, where it can stand in a certificate. */
function ownNames(): string[] {
  const name = hostname();
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name) ? [name] : [];
}
