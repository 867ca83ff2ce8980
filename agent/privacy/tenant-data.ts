import type { ServingConfig } from "#agent/serving/serving-config.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StoreReceipt } from "#protocol/messages.ts";

export interface TenantDataParts {
  readonly database: StateDatabase;
  readonly record: { renameTenant(from: string, to: string): number };
  readonly outbox: {
    renameTenant(from: string, to: string): number;
    oldestMs(): number | null;
  };
  readonly energy: { renameTenant(from: string, to: string): number };
  readonly serving: { forgetTenant(tenant: string): number };
  readonly config: Pick<ServingConfig, "tenants" | "apiKeys">;
}

/** Data of tenants in the stores of this agent. */
export interface TenantData {
  /** Erases a tenant from all stores that can name it. Again: does what is left. @throws what the database throws */
  erase(tenant: string, pseudonym: string): StoreReceipt[];
  /** Receipts once all records that waited at `sinceMs` are sent; null until then. @throws what the database throws */
  sentSince(sinceMs: number): StoreReceipt[] | null;
}

/** Number of settings of this agent's own that name a tenant. */
function configured({ tenants, apiKeys }: TenantDataParts["config"], tenant: string): number {
  const keys = apiKeys.filter((key) => typeof key === "object" && key.tenant === tenant).length;
  return keys + (Object.hasOwn(tenants, tenant) ? 1 : 0);
}

export function createTenantData(parts: TenantDataParts): TenantData {
  const { database, record, outbox, energy, serving, config } = parts;
  return {
    erase(tenant, pseudonym) {
      const receipts: StoreReceipt[] = [
        { store: "agent.db/minute_traffic", fate: "renamed", records: record.renameTenant(tenant, pseudonym) },
        { store: "agent.db/outbox", fate: "renamed", records: outbox.renameTenant(tenant, pseudonym) },
        // The controller's message without the tenant has replaced the one before.
        { store: "agent.db/document", fate: "removed", records: 0 },
        { store: "result cache", fate: "removed", records: serving.forgetTenant(tenant) },
        { store: "requests under way", fate: "removed", records: 0 },
        { store: "counts of the minute", fate: "renamed", records: 0 },
        { store: "buckets of limits", fate: "kept", records: 0 },
        { store: "newest routes", fate: "kept", records: 0 },
        { store: "newest minutes", fate: "kept", records: 0 },
        {
          ...{ store: "label tenant of thormesh_tenant_energy_joules_total", fate: "renamed" },
          records: energy.renameTenant(tenant, pseudonym),
        },
        { store: "the agent's configuration", fate: "kept", records: configured(config, tenant) },
      ];
      // The journal still holds what was there before; in the file itself it was overwritten (secure_delete).
      database.query("PRAGMA wal_checkpoint(TRUNCATE)").get();
      return receipts;
    },
    sentSince(sinceMs) {
      const oldestMs = outbox.oldestMs();
      return oldestMs !== null && oldestMs <= sinceMs
        ? null
        : [{ store: "agent.db/outbox", fate: "exported", records: 0 }];
    },
  };
}
