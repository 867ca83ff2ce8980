import type { JoinRule } from "./decide-join.ts";

/** Returns why a device may not join, and what helps; null where it may, or waits. */
export function explainJoin(rule: JoinRule, agentId: string): string | null {
  const another = "create another one: thormesh token create";
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
      return "the controller's clock was set back after the token was created: correct it (timedatectl), or create another token";
    case "id-in-use":
      return `another device has joined as ${agentId}: choose another --id, or, if this one replaces it, run: thormesh agents revoke ${agentId}, and create a new token`;
    case "device-revoked":
      return `${agentId} was revoked after this token was created; to let it join again, create a new token: thormesh token create`;
    default:
      return null;
  }
}
