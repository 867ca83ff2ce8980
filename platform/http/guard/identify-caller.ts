import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError } from "#platform/errors.ts";

/** A key that opens an API; its requests are the tenant's where it names one. */
export type ApiKey = string | { readonly key: string; readonly tenant: string };

/** Who sent a request with a key. */
export interface Caller {
  /** Null for a key that is nobody's in particular. */
  readonly tenant: string | null;
}

/** The secret of a configured key, with a tenant or without. */
export function keyText(apiKey: ApiKey): string {
  return typeof apiKey === "string" ? apiKey : apiKey.key;
}

function tenantOf(apiKey: ApiKey): string | null {
  return typeof apiKey === "string" ? null : apiKey.tenant;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** @throws UsageError when a key would be of two tenants, for then nobody could say whose its requests are. */
function refuseSharedKeys(apiKeys: readonly ApiKey[]): void {
  const tenants = new Map<string, string | null>();
  for (const apiKey of apiKeys) {
    const tenant = tenantOf(apiKey);
    const other = tenants.get(keyText(apiKey));
    if (other !== undefined && other !== tenant) {
      throw new UsageError(
        `apiKeys: expected a key of its own for each tenant, got one of both ${other ?? "no tenant"} and ${tenant ?? "no tenant"}`,
      );
    }
    tenants.set(keyText(apiKey), tenant);
  }
}

/**
 * Checks an `Authorization: Bearer KEY` header against the configured keys, in a time that tells nothing about them.
 * @returns a function that says who calls with such a header; null for one without a valid key.
 * @throws UsageError when a key is given to two tenants.
 */
export function createCallerCheck(apiKeys: readonly ApiKey[]): (authorization: string | null) => Caller | null {
  refuseSharedKeys(apiKeys);
  const accepted = apiKeys.map((apiKey) => ({
    digest: digest(keyText(apiKey)),
    caller: { tenant: tenantOf(apiKey) } satisfies Caller,
  }));
  return (authorization) => {
    const key = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (key === undefined) return null;
    const given = digest(key);
    let caller: Caller | null = null;
    for (const candidate of accepted) if (timingSafeEqual(candidate.digest, given)) caller = candidate.caller;
    return caller;
  };
}
