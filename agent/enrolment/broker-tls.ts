import { rootCertificates } from "node:tls";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { keyToPem } from "#platform/certificates/device-key.ts";
import { brokerServerName } from "#protocol/identity/device-certificate.ts";
import type { MqttTls } from "#protocol/mqtt/mqtt-connection.ts";
import type { DeviceIdentity } from "./device-identity.ts";

/** Returns the certificates of a connection to the fleet's broker. */
export function brokerTls(identity: Pick<DeviceIdentity, "key" | "certificate" | "authority" | "broker">): MqttTls {
  const { key, certificate, authority, broker } = identity;
  const own = { key: keyToPem(key), cert: certificateToPem(certificate) };
  const ca = certificateToPem(authority);
  // The controller's own broker has one name, whatever its address; another one may have a certificate of anybody.
  return broker.url === null ? { ...own, ca, servername: brokerServerName } : { ...own, ca: [ca, ...rootCertificates] };
}
