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
import { FleetAccess, type RegionTariff, type TenantAccess, type TenantJobs } from "#protocol/messages.ts";
import { QuotaUse } from "./quota-use.ts";

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

export interface AccessStatus {
  readonly tenants: number;
  readonly keys: number;
  readonly audit: NonNullable<FleetAccess["audit"]> | null;
  readonly auditProblem: string | null;
}

const auditFault =
  "the controller's audit log lacks an entry that this agent has recorded, or has a different one in its place";

/** True for an entry of the audit log that may come after a noted one, or is that. */
const follows = (next: FleetAccess["audit"], noted: NonNullable<FleetAccess["audit"]>) =>
  next !== undefined && (next.seq > noted.seq || (next.seq === noted.seq && next.hash === noted.hash));

/** The fleet's tenants and their keys as the controller told them last, kept over restarts: an agent that is cut off continues with them. */
export class FleetKeys implements IssuedKeys {
  readonly required: boolean;
  /** Use of tenants' quotas here. */
  readonly quotaUse: QuotaUse;
  readonly #parts: FleetKeysParts;
  readonly #stored: ReturnType<typeof createStoredText>;
  #held: FleetAccess | null = null;
  #auditProblem: string | null = null;
  #keys = new Map<string, FleetAccess["keys"][number]>();
  #tenants = new Map<string, TenantAccess>();

  constructor(parts: FleetKeysParts) {
    this.#parts = parts;
    this.required = parts.required;
    this.#stored = createStoredText(parts.database, "access", parts.storage);
    this.quotaUse = new QuotaUse(createStoredText(parts.database, "quota-use", parts.storage));
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
    const held = this.#held?.audit;
    const isShorter = held !== undefined && !follows(access.audit, held);
    // What was noted stays noted, so that the log can be held against it.
    const kept = isShorter ? { ...access, audit: held } : access;
    if (isShorter) this.#parts.log.error({ noted: held, told: access.audit ?? null }, auditFault);
    this.#auditProblem = isShorter ? auditFault : null;
    this.#hold(kept);
    this.quotaUse.keepOnly((tenant) => this.#tenants.get(tenant)?.quotas !== undefined);
    this.#stored.save(JSON.stringify(kept));
    return true;
  }

  /** Returns what this agent has noted of the controller's audit log, and of tenants and keys. */
  status(): AccessStatus {
    const audit = this.#held?.audit ?? null;
    return { tenants: this.#tenants.size, keys: this.#keys.size, audit, auditProblem: this.#auditProblem };
  }

  #hold(access: FleetAccess): void {
    this.#held = access;
    this.#keys = new Map(access.keys.map((key) => [key.id, key]));
    this.#tenants = new Map(access.tenants.map((tenant) => [tenant.tenant, tenant]));
  }

  /** Jobs with tenants' data as the controller told. */
  jobs(): TenantJobs {
    return this.#held?.jobs ?? [];
  }

  /** Membership of the fleet's devices, as the controller told; undefined: it did not. */
  devices(): FleetAccess["devices"] {
    return this.#held?.devices;
  }

  /** Price of a region's electricity by the hour, as the controller told last; null: it did not. */
  tariff(region: string): RegionTariff | null {
    return this.#held?.tariffs?.find((tariff) => tariff.region === region) ?? null;
  }

  /** Tenant as the controller told; undefined for one of the configuration only. */
  tenant(name: string): TenantAccess | undefined {
    return this.#tenants.get(name);
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
      return new ServiceError(
        "TENANT_SUSPENDED",
        `tenant ${key.tenant} is suspended: ask the operator of this service`,
      );
    const { models = null, regions = null } = key;
    const scope = models === null && regions === null ? {} : { scope: { models, regions } };
    return { tenant: key.tenant, role: "embed", name: `key ${key.id}`, keyId: key.id, ...scope };
  }
}
