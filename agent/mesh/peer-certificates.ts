import type { ServerTrust } from "#platform/fetch/fetch-bounded.ts";

/** Certificates by which agents that have joined a fleet know each other. */
export interface PeerCertificates {
  /** Returns true when agents without certificates are neither asked nor answered. */
  areRequired(): boolean;
  /** Returns true for an agent that was shut out of the fleet. */
  isRevoked(agentId: string): boolean;
  /** Returns the agent that a header proves; null where it proves none. */
  verify(authorization: string | null): string | null;
  /** Returns what the certificate of an agent must be. */
  trustFor(agentId: string): ServerTrust;
  /** Returns the `Authorization` of requests to an agent, for connections that are proven to be with it. */
  proofFor(agentId: string): string;
}
