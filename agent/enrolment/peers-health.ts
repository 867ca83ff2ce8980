import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import type { PeerCertificates } from "../mesh/peer-certificates.ts";
import type { HealthCheck, ServingPeer } from "../serving/ports.ts";
import type { ServingConfig } from "../serving/serving-config.ts";

const maxNamed = 3;

/**
 * Health of an agent's part in the mesh: once certificates are required, others don't ask it without encryption, nor does it ask them.
 * @param serving other agents that serve, with their addresses
 */
export function peersHealth(
  { host, tls }: Pick<ServingConfig, "host" | "tls">,
  certificates: Pick<PeerCertificates, "areRequired">,
  serving: readonly ServingPeer[],
): HealthCheck {
  if (!certificates.areRequired()) return { status: "healthy", detail: "agents without certificates may take part" };
  const open = serving.filter(({ url }) => !url.startsWith("https:"));
  if (open.length > 0) {
    const names = open.slice(0, maxNamed).map(({ agentId }) => agentId);
    const more = open.length > maxNamed ? ", …" : "";
    return {
      status: "degraded",
      detail: `${open.length} of ${serving.length} other agents are not used, because they do not encrypt (${names.join(", ")}${more}): identity.passwordsUntil has passed; set serving.tls.fleet: true there (docs/security.md)`,
    };
  }
  if (isEncrypted(tls) || isLoopback(host))
    return { status: "healthy", detail: "agents recognise each other by certificates only" };
  return {
    status: "degraded",
    detail:
      "other agents send this one no requests: identity.passwordsUntil has passed, and it does not encrypt; set serving.tls.fleet: true (docs/security.md)",
  };
}
