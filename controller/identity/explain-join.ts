import type { JoinRule } from "./decide-join.ts";

/** Returns why a device may not join, and what helps; null where it may, or waits. */
export function explainJoin(rule: JoinRule, agentId: string): string | null {
  const another = "make another one: thormesh token create";
  switch (rule) {
    case "token-unknown":
      return `this controller knows no such token; ${another}`;
    case "token-revoked":
      return `the token was revoked; ${another}`;
    case "token-expired":
      return `the token has expired; ${another}, with a longer --ttl if need be`;
    case "token-used-up":
      return `the token has no uses left; ${another}, with --uses for several devices`;
    case "token-not-yet-valid":
      return "the token was made in the future by the controller's clock, which was set back since: correct it (timedatectl), or make another token";
    case "id-in-use":
      return `another device has joined as ${agentId}: choose another --id, or, if this one replaces it, run: thormesh agents revoke ${agentId}, and make a new token`;
    case "device-revoked":
      return `${agentId} was revoked after this token was made; to let it in again, make a new token: thormesh token create`;
    default:
      return null;
  }
}
