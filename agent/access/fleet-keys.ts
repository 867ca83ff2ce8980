import { timingSafeEqual } from "node:crypto";
import { createStoredText } from "#agent/stored-text.ts";
import { ServiceError } from "#platform/errors.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { readIssuedKey } from "#platform/http/guard/issued-key.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { decodeText } from "#protocol/codec.ts";
import { FleetAccess, type TenantAccess } from "#protocol/messages.ts";

/** Maximum difference between the clocks of a fleet. */
const clocksAgreeToMs = 5 * minuteMs;

export interface FleetKeysParts {
  readonly database: StateDatabase;
  readonly storage?: StorageWatch;
  /** True: a key is needed, whatever else is configured. */
  readonly required: boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** The fleet's tenants and their keys as the controller told them last, kept over restarts: an agent that is cut off goes on with them. */
export class FleetKeys implements IssuedKeys {
  readonly required: boolean;
  readonly #parts: FleetKeysParts;
  readonly #stored: ReturnType<typeof createStoredText>;
  #held: FleetAccess | null = null;
  #keys = new Map<string, FleetAccess["keys"][number]>();
  #tenants = new Map<string, TenantAccess>();

  constructor(parts: FleetKeysParts) {
    this.#parts = parts;
    this.required = parts.required;
    this.#stored = createStoredText(parts.database, "access", parts.storage);
    const text = this.#stored.load();
    if (text === null) return;
    const decoded = decodeText(FleetAccess, text);
    if (decoded.ok) this.#hold(decoded.message);
    else parts.log.warn({ reason: decoded.reason }, "the stored tenants and keys can't be read; waiting for new ones");
  }

  /** Takes in a message and keeps it on disk. Returns false for one that is older than the held one. */
  accept(access: FleetAccess): boolean {
    const heldMs = this.#held?.sentAtMs ?? Number.NEGATIVE_INFINITY;
    // One from the future is replaced by any other, so that it can't stay for good.
    if (access.sentAtMs <= heldMs && heldMs <= this.#parts.nowMs() + clocksAgreeToMs) return access.sentAtMs === heldMs;
    this.#hold(access);
    this.#stored.save(JSON.stringify(access));
    return true;
  }

  #hold(access: FleetAccess): void {
    this.#held = access;
    this.#keys = new Map(access.keys.map((key) => [key.id, key]));
    this.#tenants = new Map(access.tenants.map((tenant) => [tenant.tenant, tenant]));
  }

  /** Tenant as the controller told; undefined for one of the configuration only. */
  tenant(name: string): TenantAccess | undefined {
    return this.#tenants.get(name);
  }

  /** Number of tenants and keys, for people. */
  counts(): { readonly tenants: number; readonly keys: number } {
    return { tenants: this.#tenants.size, keys: this.#keys.size };
  }

  identify(text: string): Caller | ServiceError | null {
    // Nothing is computed where there are no keys.
    const given = this.#keys.size === 0 ? null : readIssuedKey(text);
    const key = given === null ? undefined : this.#keys.get(given.id);
    if (given === null || key === undefined) return null;
    if (!timingSafeEqual(Buffer.from(key.hash, "hex"), Buffer.from(given.hash, "hex"))) return null;
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.#parts.nowMs()) {
      const at = new Date(key.expiresAtMs).toISOString().slice(0, 19).replace("T", " ");
      return new ServiceError("UNAUTHORIZED", `key ${key.id} expired at ${at} UTC`);
    }
    const tenant = this.#tenants.get(key.tenant);
    if (tenant === undefined)
      return new ServiceError("UNAUTHORIZED", `key ${key.id} belongs to no tenant of this fleet`);
    if (tenant.suspended)
      return new ServiceError("TENANT_SUSPENDED", `tenant ${key.tenant} is suspended: ask who runs this service`);
    return { tenant: key.tenant, role: "embed", name: `key ${key.id}`, keyId: key.id };
  }
}
