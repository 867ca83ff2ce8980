import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { defaultTenant } from "#protocol/messages.ts";

/** Tenant of a caller's key, as configured: clients can't name one themselves. */
export function tenantOf(caller: Caller | undefined): string {
  return caller?.tenant ?? defaultTenant;
}

/** Returns the configured weights of tenants; 1 for all others. */
export function createTenantWeights(
  tenants: Readonly<Record<string, { readonly weight: number }>>,
): (tenant: string) => number {
  const weights = new Map(Object.entries(tenants).map(([name, { weight }]) => [name, weight]));
  return (tenant) => weights.get(tenant) ?? 1;
}
