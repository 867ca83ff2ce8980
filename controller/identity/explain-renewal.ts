import type { RenewalRule } from "./decide-renewal.ts";

/** Returns why a certificate is not renewed, and what helps; null where it is. */
export function explainRenewal(rule: RenewalRule, agentId: string): string | null {
  const again = "join again with a new token (thormesh token create)";
  switch (rule) {
    case "device-unknown":
      return `no device has joined as ${agentId}: ${again}`;
    case "device-revoked":
      return `${agentId} was revoked: ${again}, if it is to come back`;
    case "key-replaced":
      return `${agentId} has renewed its certificate since: this is an old copy of its state, or a clone; revoke it (thormesh agents revoke ${agentId}) and ${again}`;
    case "expired-too-long":
      return `its certificate expired more than identity.renewalGraceDays ago: ${again}`;
    default:
      return null;
  }
}
