import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";

/** Whom a request is counted on. A tenant is only ever one that the configuration names: clients can't invent one. */
export function tenantOf(caller: Caller | undefined): string {
  return caller?.tenant ?? defaultTenant;
}

/** A tenant's weight beside others, as configured. */
export function createTenantWeights(
  tenants: Readonly<Record<string, { readonly weight: number }>>,
): (tenant: string) => number {
  const weights = new Map(Object.entries(tenants).map(([name, { weight }]) => [name, weight]));
  return (tenant) => weights.get(tenant) ?? 1;
}
