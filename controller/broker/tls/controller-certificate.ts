import { rootCertificates } from "node:tls";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import type { MqttTls } from "#protocol/mqtt/mqtt-connection.ts";
import type { FleetAuthority } from "../../identity/fleet-authority.ts";

const certificateMs = 60 * dayMs;
const renewEachMs = 7 * dayMs;

export interface ControllerCertificate {
  /** Certificates for the next connection. */
  tls(): MqttTls;
  stop(): void;
}

/** Keeps a certificate by which an external broker knows the controller; of the broker's own one any known authority may be the signer. */
export async function keepControllerCertificate(
  authority: FleetAuthority,
  log: Logger,
): Promise<ControllerCertificate> {
  const ca = [certificateToPem(authority.certificate), ...rootCertificates];
  let own = await authority.issueController(certificateMs);
  const renew = async () => {
    try {
      own = await authority.issueController(certificateMs);
    } catch (error) {
      log.error({ err: describeError(error) }, "the controller's certificate could not be renewed");
    }
  };
  const renewing = setInterval(() => void renew(), renewEachMs).unref();
  return { tls: () => ({ ...own, ca }), stop: () => clearInterval(renewing) };
}
