import { isTimeZone } from "#platform/calendar/calendar-period.ts";
import { ServiceError } from "#platform/errors.ts";
import { accessLimits, defaultTenant, pseudonymPrefix } from "#protocol/messages.ts";
import type { TenantSettings } from "../store/row-schemas.ts";
import type { Tenant, TenantStore } from "../store/store.ts";

export interface TenantsParts {
  readonly store: TenantStore;
  /** Days for which minutes are kept, which a tenant's own retention can't be shorter than. Default: none. */
  readonly minuteDays?: number;
  readonly nowMs: () => number;
}

function refuseUnknownZone({ quotaTimeZone: zone }: Partial<TenantSettings>): void {
  if (zone == null || isTimeZone(zone)) return;
  const message = `quotaTimeZone: expected a time zone like Europe/Berlin, got ${JSON.stringify(zone)}`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "quotaTimeZone" } });
}

function refuseShortRetention({ retentionDays }: Partial<TenantSettings>, minuteDays: number): void {
  if (retentionDays == null || retentionDays >= minuteDays) return;
  const message = `retentionDays: expected at least ${minuteDays}, as long as minutes are kept (retention.minuteDays), got ${retentionDays}`;
  throw new ServiceError("INVALID_REQUEST", message, { details: { param: "retentionDays" } });
}

const newTenant: TenantSettings = { suspended: false, models: null, regions: null, costCentre: null };

/** Tenants of the fleet, in memory. Another process may change them in the store, so they are to be loaded again regularly. */
export class Tenants {
  readonly #parts: TenantsParts;
  #tenants = new Map<string, Tenant>();

  constructor(parts: TenantsParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    this.#tenants = new Map((await this.#parts.store.loadTenants()).map((tenant) => [tenant.id, tenant]));
  }

  list(): Tenant[] {
    return [...this.#tenants.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  find(id: string): Tenant | undefined {
    return this.#tenants.get(id);
  }

  /** @throws ServiceError NOT_FOUND */
  get(id: string): Tenant {
    const tenant = this.#tenants.get(id);
    if (tenant === undefined) throw new ServiceError("NOT_FOUND", `there is no tenant ${id}`);
    return tenant;
  }

  /** @throws ServiceError CONFLICT where the name is taken, or there are as many tenants as may be; INVALID_REQUEST for an unknown time zone */
  async create(id: string, settings: Partial<TenantSettings>): Promise<Tenant> {
    refuseUnknownZone(settings);
    refuseShortRetention(settings, this.#parts.minuteDays ?? 0);
    await this.load();
    if (id === defaultTenant)
      throw new ServiceError("CONFLICT", `id: ${defaultTenant} is reserved for requests without a tenant`);
    if (id.startsWith(pseudonymPrefix))
      throw new ServiceError("CONFLICT", `id: names starting with ${pseudonymPrefix} are reserved for erased tenants`);
    if (this.#tenants.has(id)) throw new ServiceError("CONFLICT", `id: tenant ${id} already exists`);
    if (this.#tenants.size >= accessLimits.maxTenants)
      throw new ServiceError(
        "CONFLICT",
        `there are ${accessLimits.maxTenants} tenants, which is the maximum: delete one first`,
      );
    return this.#save({ id, createdAtMs: Math.round(this.#parts.nowMs()), settings: { ...newTenant, ...settings } });
  }

  /** Changes the given settings. @throws ServiceError NOT_FOUND; INVALID_REQUEST for an unknown time zone */
  async update(id: string, settings: Partial<TenantSettings>): Promise<Tenant> {
    refuseUnknownZone(settings);
    refuseShortRetention(settings, this.#parts.minuteDays ?? 0);
    await this.load();
    const before = this.get(id);
    return this.#save({ ...before, settings: { ...before.settings, ...settings } });
  }

  /** Removes a tenant; its keys are to be revoked. @throws ServiceError NOT_FOUND */
  async remove(id: string): Promise<void> {
    await this.load();
    this.get(id);
    await this.#parts.store.removeTenant(id);
    this.#tenants.delete(id);
  }

  async #save(tenant: Tenant): Promise<Tenant> {
    await this.#parts.store.saveTenant(tenant);
    this.#tenants.set(tenant.id, tenant);
    return tenant;
  }
}
