import { describeError } from "#platform/errors.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import { serverNames } from "#platform/http/tls/server-names.ts";
import type { TlsConfig } from "#platform/http/tls/tls-config.ts";
import { watchKeyPair } from "#platform/http/tls/watch-key-pair.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import type { FleetAuthority } from "./fleet-authority.ts";

const certificateMs = 60 * dayMs;
const renewAfterMs = 7 * dayMs;
const lookEachMs = dayMs / 4;

/**
 * Opens the certificate of the controller's API; undefined where it is not to encrypt.
 * @throws UsageError when its files can't be used.
 */
export async function openApiCertificate(
  api: { readonly host: string; readonly allowedHosts: readonly string[]; readonly tls: TlsConfig },
  authority: Pick<FleetAuthority, "issueApi">,
  log: Logger,
): Promise<ServerCertificate | undefined> {
  const { certFile, keyFile, fleet, hosts } = api.tls;
  if (certFile !== null && keyFile !== null) return watchKeyPair({ certFile, keyFile }, { what: "api.tls", log });
  if (!fleet) return undefined;
  const issue = () => authority.issueApi(certificateMs, serverNames(api.host, [...hosts, ...api.allowedHosts]));
  let pair = await issue();
  let renewedMs = Date.now();
  let fault: string | null = null;
  const listeners: (() => void)[] = [];
  const renew = async () => {
    if (Math.abs(Date.now() - renewedMs) < renewAfterMs) return;
    try {
      pair = await issue();
      renewedMs = Date.now();
      fault = null;
      for (const listener of listeners) listener();
    } catch (error) {
      fault = `the API's certificate could not be renewed: ${describeError(error)}`;
      log.error({ err: describeError(error) }, "the API's certificate could not be renewed");
    }
  };
  const renewing = setInterval(() => void renew(), lookEachMs).unref();
  return {
    current: () => pair,
    onChange: (listener) => listeners.push(listener),
    problem: () => fault,
    stop: () => clearInterval(renewing),
  };
}
