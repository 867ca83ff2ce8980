import type { ServingConfig } from "#agent/serving/serving-config.ts";
import { allKeys } from "#platform/http/guard/all-keys.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import { OidcTokens } from "#protocol/identity/oidc/oidc-tokens.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import { tenantOfClaims } from "./tenant-of-claims.ts";

type FleetAccess = IssuedKeys & { tenant(name: string): TenantAccess | undefined };

/** Tells if a key, or a token, is needed although no key is configured. */
export const needsIssuedKey = ({ requireKeys, oidc }: Pick<ServingConfig, "requireKeys" | "oidc">): boolean =>
  requireKeys || oidc.issuer !== null;

/** Joins the fleet's keys with the tokens of the configured provider. Undefined where there is neither. */
export function issuedKeys(
  access: FleetAccess | undefined,
  { oidc, tenants }: Pick<ServingConfig, "oidc" | "tenants">,
): IssuedKeys | undefined {
  const { issuer, audience } = oidc;
  if (issuer === null || audience === null) return access;
  const known = {
    told: (name: string) => access?.tenant(name),
    isConfigured: (name: string) => Object.hasOwn(tenants, name),
  };
  const tokens = new OidcTokens({
    config: { issuer, audience },
    callerOf: (claims, name) => tenantOfClaims(claims, name, oidc, known),
    nowMs: Date.now,
  });
  return allKeys(access === undefined ? [tokens] : [access, tokens]);
}
