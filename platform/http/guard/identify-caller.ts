import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError } from "#platform/errors.ts";
import type { Role } from "./roles.ts";

/** API key, with the tenant that its requests belong to if it has one. */
export type ApiKey = string | { readonly key: string; readonly tenant: string };

/** Models and regions of a key; null: any. */
export interface CallerScope {
  readonly models: readonly string[] | null;
  readonly regions: readonly string[] | null;
}

/** Sender of a request with a valid key. */
export interface Caller {
  /** Null for a key without a tenant. */
  readonly tenant: string | null;
  /** Agent of the same fleet that signed the request. */
  readonly peer?: string;
  /** Rights of the caller where routes need a role. */
  readonly role?: Role;
  /** Name of the caller in errors and records; it is no secret. */
  readonly name?: string;
  /** Id of the issued key. */
  readonly keyId?: string;
  /** The part of its tenant's rights that it has. Default: all. */
  readonly scope?: CallerScope;
}

/** Secret of a configured key. */
export function keyText(apiKey: ApiKey): string {
  return typeof apiKey === "string" ? apiKey : apiKey.key;
}

function tenantOf(apiKey: ApiKey): string | null {
  return typeof apiKey === "string" ? null : apiKey.tenant;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Returns what is wrong with keys of which one belongs to two tenants, which could not be told apart; null: nothing. */
export function sharedKeyMistake(apiKeys: readonly ApiKey[]): string | null {
  const tenants = new Map<string, string | null>();
  for (const apiKey of apiKeys) {
    const tenant = tenantOf(apiKey);
    const other = tenants.get(keyText(apiKey));
    if (other !== undefined && other !== tenant) {
      return `apiKeys: expected a separate key for each tenant, got one for both ${other ?? "no tenant"} and ${tenant ?? "no tenant"}`;
    }
    tenants.set(keyText(apiKey), tenant);
  }
  return null;
}

/** Key of an `Authorization: Bearer KEY` header; null without one. */
export function bearerOf(authorization: string | null): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? null;
}

/**
 * Creates a check of `Authorization: Bearer KEY` headers against the configured keys, in constant time.
 * @param rights role and name of callers with any of these keys
 * @returns a function that returns the caller of a header; null without a valid key.
 * @throws UsageError when a key belongs to two tenants.
 */
export function createCallerCheck(
  apiKeys: readonly ApiKey[],
  rights: Pick<Caller, "role" | "name"> = {},
): (authorization: string | null) => Caller | null {
  const mistake = sharedKeyMistake(apiKeys);
  if (mistake !== null) throw new UsageError(mistake);
  const accepted = apiKeys.map((apiKey) => ({
    digest: digest(keyText(apiKey)),
    caller: { tenant: tenantOf(apiKey), ...rights } satisfies Caller,
  }));
  return (authorization) => {
    const key = bearerOf(authorization);
    if (key === null) return null;
    const given = digest(key);
    let caller: Caller | null = null;
    for (const candidate of accepted) if (timingSafeEqual(candidate.digest, given)) caller = candidate.caller;
    return caller;
  };
}
