import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { isEncrypted } from "#platform/http/tls/tls-config.ts";
import type { PeerCertificates } from "../mesh/peer-certificates.ts";
import type { HealthCheck } from "../serving/ports.ts";
import type { ServingConfig } from "../serving/serving-config.ts";

/** Health of an agent's part in the mesh: without encryption others don't ask it once certificates are required. */
export function peersHealth(
  { host, tls }: Pick<ServingConfig, "host" | "tls">,
  certificates: Pick<PeerCertificates, "areRequired">,
): HealthCheck {
  if (!certificates.areRequired()) return { status: "healthy", detail: "agents without certificates may take part" };
  if (isEncrypted(tls) || isLoopback(host))
    return { status: "healthy", detail: "agents know each other by certificates only" };
  return {
    status: "degraded",
    detail:
      "other agents send this one no requests: identity.passwordsUntil is over, and it does not encrypt; set serving.tls.fleet: true (docs/security.md)",
  };
}
