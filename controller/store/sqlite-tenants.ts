import type { Database } from "bun:sqlite";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import { TenantRow } from "./row-schemas.ts";
import type { TenantStore } from "./store.ts";

/** Table of the tenants. */
export function createTenantTable(database: Database, quarantine: RowQuarantine): TenantStore {
  const replace = database.query(`INSERT OR REPLACE INTO tenant (id, created_at_ms, settings) VALUES (?, ?, ?)`);
  const remove = database.query(`DELETE FROM tenant WHERE id = ?`);
  const all = database.query<{ id: string; createdAtMs: number; settings: string }, []>(
    `SELECT id, created_at_ms AS createdAtMs, settings FROM tenant ORDER BY id`,
  );
  return {
    async saveTenant({ id, createdAtMs, settings }) {
      replace.run(id, Math.round(createdAtMs), JSON.stringify(settings));
    },
    async removeTenant(id) {
      remove.run(id);
    },
    async loadTenants() {
      return all.all().flatMap((row) => {
        const value = { ...row, settings: columnValue(row.settings) };
        return quarantine.decode("tenant", String(row.id), TenantRow, value) ?? [];
      });
    },
  };
}
