import type { JWTPayload } from "jose";
import { ServiceError } from "#platform/errors.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { claimValues } from "#protocol/identity/oidc/oidc-tokens.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import type { OidcConfig } from "./oidc-config.ts";

export interface KnownTenants {
  /** Tenant as the controller told; undefined for others. */
  readonly told: (name: string) => Pick<TenantAccess, "suspended"> | undefined;
  /** True for a tenant of the configuration. */
  readonly isConfigured: (name: string) => boolean;
}

/** Caller of a token's claims, whose tenant they name; the error for one that names none, or several. */
export function tenantOfClaims(
  claims: JWTPayload,
  name: string,
  { tenantClaim, tenants: mapped }: Pick<OidcConfig, "tenantClaim" | "tenants">,
  { told, isConfigured }: KnownTenants,
): Caller | ServiceError {
  const values = claimValues(claims, tenantClaim);
  const isMapped = Object.keys(mapped).length > 0;
  const named = isMapped
    ? Object.keys(mapped).filter((tenant) => mapped[tenant]?.some((value) => values.includes(value)))
    : values;
  const known = [...new Set(named)].filter((tenant) => told(tenant) !== undefined || isConfigured(tenant));
  const [tenant, ...more] = known;
  if (tenant === undefined)
    return new ServiceError(
      "FORBIDDEN",
      `${name}: expected the claim ${tenantClaim} to name a tenant known to this agent`,
    );
  if (more.length > 0)
    return new ServiceError(
      "FORBIDDEN",
      `${name}: expected the claim ${tenantClaim} to name one tenant, got ${known.join(", ")}`,
    );
  if (told(tenant)?.suspended === true)
    return new ServiceError("TENANT_SUSPENDED", `tenant ${tenant} is suspended: ask the operator of this service`);
  return { tenant, role: "embed", name };
}
