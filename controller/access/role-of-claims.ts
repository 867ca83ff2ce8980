import type { JWTPayload } from "jose";
import { highestRole, type Role } from "#platform/http/guard/roles.ts";
import { claimValues } from "#protocol/identity/oidc/oidc-tokens.ts";
import type { OidcConfig } from "./oidc-config.ts";

/** Role of a token's bearer by the configured values; null: none. */
export function roleOfClaims(
  claims: JWTPayload,
  { rolesClaim, roles }: Pick<OidcConfig, "rolesClaim" | "roles">,
): Role | null {
  const held = new Set(claimValues(claims, rolesClaim));
  return highestRole(
    (["viewer", "operator", "admin"] as const).filter((role) => roles[role].some((value) => held.has(value))),
  );
}
