import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { keyHash } from "#platform/certificates/device-key.ts";
import { isBrokerName } from "../broker-secret.ts";

/** Name that the broker's certificate has, whatever its address: its clients ask for this one. */
export const brokerServerName = "broker.thormesh.internal";

/** Identity of an agent, as its certificate names it. */
export function agentUri(fleet: string, agentId: string, region: string): string {
  const place = region === "" ? "" : `?region=${encodeURIComponent(region)}`;
  return `thormesh://${fleet}/agent/${agentId}${place}`;
}

/** Suffix of names that only the authority gives away: each certificate has its own, whatever the addresses are. */
export const reservedSuffix = ".thormesh.internal";

/** Name that an agent's certificate has, whatever its address: other agents ask for this one. */
export function agentServerName(fleet: string, agentId: string): string {
  // Ids have characters, case and lengths that names can't have.
  const id = createHash("sha256").update(`${fleet}/${agentId}`).digest("hex").slice(0, 32);
  return `${id}.agent${reservedSuffix}`;
}

/** User as which brokers know the controller: its certificate's common name, which no agent can have. */
export const controllerUser = "@controller";

/** Name that the certificate of the controller's API has besides those of its machine. */
export const controllerServerName = "controller.thormesh.internal";

/** Identity of the fleet's controller. */
export function controllerUri(fleet: string): string {
  return `thormesh://${fleet}/controller`;
}

/** Identity of the fleet's broker. */
export function brokerUri(fleet: string): string {
  return `thormesh://${fleet}/broker`;
}

export interface DeviceCertificate {
  readonly fleet: string;
  readonly agentId: string;
  readonly region: string;
  readonly keyHash: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const namedUri =
  /(?:^|, )URI:thormesh:\/\/([A-Za-z0-9._-]+)\/agent\/([A-Za-z0-9._-]+)(?:\?region=([^,"\s]*))?(?=, |$)/g;

function decodeRegion(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? "");
  } catch {
    return "";
  }
}

/** Reads an agent's certificate without checking who signed it; null when it is none. */
export function readDeviceCertificate(certificate: string): DeviceCertificate | null {
  try {
    const parsed = parseCertificate(certificate);
    // Besides its identity a certificate may have names and addresses under which the agent serves.
    const [[, fleet, agentId, region] = [], ...others] = (parsed.subjectAltName ?? "").matchAll(namedUri);
    if (
      others.length > 0 ||
      fleet === undefined ||
      agentId === undefined ||
      !isBrokerName(fleet) ||
      !isBrokerName(agentId)
    )
      return null;
    return {
      ...{ fleet, agentId, region: decodeRegion(region) },
      keyHash: keyHash(parsed.publicKey),
      notBeforeMs: parsed.validFromDate.getTime(),
      notAfterMs: parsed.validToDate.getTime(),
    };
  } catch {
    return null;
  }
}

/** @throws Error when the text is no certificate (DER in base64). */
export function parseCertificate(certificate: string): X509Certificate {
  return new X509Certificate(Buffer.from(certificate, "base64"));
}

/** Returns the names and addresses of a list that a certificate does not have. */
export function namesLacking(certificate: string, names: readonly string[]): string[] {
  const parsed = parseCertificate(certificate);
  const held = new Set(
    [...(parsed.subjectAltName ?? "").toLowerCase().matchAll(/(?:^|, )dns:([^,]+)/g)].map(([, name]) => name),
  );
  return names.filter((name) =>
    isIP(name) === 0 ? !held.has(name.toLowerCase()) : parsed.checkIP(name) === undefined,
  );
}

/** True when an authority signed a certificate. */
export function isIssuedBy(certificate: string, authority: string): boolean {
  try {
    const issuer = parseCertificate(authority);
    const leaf = parseCertificate(certificate);
    return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  } catch {
    return false;
  }
}
