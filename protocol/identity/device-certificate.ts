import { X509Certificate } from "node:crypto";
import { keyHash } from "#platform/certificates/device-key.ts";
import { isBrokerName } from "../broker-secret.ts";

/** Name that the broker's certificate has, whatever its address: its clients ask for this one. */
export const brokerServerName = "broker.thormesh.internal";

/** Identity of an agent, as its certificate names it. */
export function agentUri(fleet: string, agentId: string, region: string): string {
  const place = region === "" ? "" : `?region=${encodeURIComponent(region)}`;
  return `thormesh://${fleet}/agent/${agentId}${place}`;
}

/** User as which brokers know the controller: its certificate's common name, which no agent can have. */
export const controllerUser = "@controller";

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

const namedUri = /^URI:thormesh:\/\/([A-Za-z0-9._-]+)\/agent\/([A-Za-z0-9._-]+)(?:\?region=([^,"\s]*))?$/;

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
    const [, fleet, agentId, region] = namedUri.exec(parsed.subjectAltName ?? "") ?? [];
    if (fleet === undefined || agentId === undefined || !isBrokerName(fleet) || !isBrokerName(agentId)) return null;
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
