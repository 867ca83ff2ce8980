import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { keyToPem } from "#platform/certificates/device-key.ts";
import { UsageError } from "#platform/errors.ts";
import type { KeyPair } from "#platform/http/tls/read-key-pair.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import { serverNames } from "#platform/http/tls/server-names.ts";
import { watchKeyPair } from "#platform/http/tls/watch-key-pair.ts";
import type { Logger } from "#platform/log.ts";
import { agentServerName, reservedSuffix } from "#protocol/identity/device-certificate.ts";
import type { AgentConfig } from "../config.ts";
import type { HealthCheck } from "../serving/ports.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import type { Renewal } from "./renewal.ts";

/** Certificates that an agent serves with. */
export interface ServingCertificate extends ServerCertificate {
  /** Has the listeners take the device's renewed certificate. */
  changed(): void;
}

/**
 * Lists the names and addresses by which an agent serves with its certificate of the fleet; none where clients are shown files of its own, and
 * null where nobody is shown it.
 */
export function servedHosts({ serving, advertiseUrl }: Pick<AgentConfig, "serving" | "advertiseUrl">): string[] | null {
  const { tls, host, allowedHosts } = serving;
  if (!tls.fleet) return tls.certFile === null ? null : [];
  const advertised = URL.parse(advertiseUrl ?? "")?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
  const { dnsNames, addresses } = serverNames(host, [...tls.hosts, ...allowedHosts, advertised]);
  return [...dnsNames.filter((name) => !name.endsWith(reservedSuffix)), ...addresses];
}

const pairOf = ({ key, certificate }: Pick<DeviceIdentity, "key" | "certificate">): KeyPair => ({
  ...{ key: keyToPem(key), cert: certificateToPem(certificate) },
});

/**
 * Opens the certificates that an agent serves with; undefined where it does not encrypt. One that has joined also shows its own to agents that
 * ask for its name in the fleet.
 * @throws UsageError when files can't be used, or the device has joined no fleet whose certificate it could show.
 */
export function openServingCertificate(
  config: AgentConfig["serving"]["tls"],
  parts: { readonly renewal: Pick<Renewal, "identity" | "lacking"> | null; readonly log: Logger },
): ServingCertificate | undefined {
  const { certFile, keyFile, fleet } = config;
  const { renewal, log } = parts;
  const listeners: (() => void)[] = [];
  const changed = () => {
    for (const listener of listeners) listener();
  };
  if (certFile !== null && keyFile !== null) {
    const files = watchKeyPair({ certFile, keyFile }, { what: "serving.tls", log });
    files.onChange(changed);
    return {
      ...files,
      named() {
        if (renewal === null) return [];
        const { identity } = renewal;
        return [{ ...pairOf(identity), serverName: agentServerName(identity.fleet, identity.agentId) }];
      },
      onChange: (listener) => listeners.push(listener),
      changed,
    };
  }
  if (!fleet) return undefined;
  if (renewal === null)
    throw new UsageError(
      "serving.tls.fleet: this device has not joined a fleet that could certify it: run thormesh agent join URL TOKEN",
    );
  return {
    current: () => pairOf(renewal.identity),
    onChange: (listener) => listeners.push(listener),
    problem() {
      const lacking = renewal.lacking();
      if (lacking.length === 0) return null;
      return `serving.tls: the certificate does not contain ${lacking.join(", ")} yet: it will as soon as the controller can be reached`;
    },
    stop: () => undefined,
    changed,
  };
}

/** Health of the certificate that an agent serves with. */
export function certificateHealth(tls: ServerCertificate): HealthCheck {
  const problem = tls.problem();
  return { status: problem === null ? "healthy" : "degraded", detail: problem ?? "clients are served encrypted" };
}
