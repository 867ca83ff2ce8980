import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import { ApiKeyRow, TenantRow } from "../row-schemas.ts";
import { withScope } from "../sqlite-keys.ts";
import type { KeptStore, KeyStore, TenantStore } from "../store.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

/** Longest kept document that is read. */
const maxLength = 4_000_000;

/** Tables of issued keys, tenants and other state of the controller's parts. */
export function createPostgresAccess(
  database: PostgresDatabase,
  quarantine: RowQuarantine,
): KeyStore & TenantStore & KeptStore {
  return {
    async saveKey(key) {
      const { id, name, role, hash, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs, replaces, tenant } = key;
      const scope = key.scope == null ? null : JSON.stringify(key.scope);
      await database.run(
        `INSERT INTO api_key (id, name, role, hash, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms, replaces, tenant, scope)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, hash = excluded.hash,
           created_at_ms = excluded.created_at_ms, expires_at_ms = excluded.expires_at_ms,
           revoked_at_ms = excluded.revoked_at_ms, last_used_at_ms = excluded.last_used_at_ms,
           replaces = excluded.replaces, tenant = excluded.tenant, scope = excluded.scope`,
        [id, name, role, hash, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs, replaces, tenant, scope],
      );
    },
    async saveKeyUse(id, atMs) {
      await database.run(
        `UPDATE api_key SET last_used_at_ms = greatest(coalesce(last_used_at_ms, 0), $2) WHERE id = $1`,
        [id, Math.round(atMs)],
      );
    },
    async removeKey(id) {
      await database.run(`DELETE FROM api_key WHERE id = $1`, [id]);
    },
    async loadKeys() {
      const rows = await database.rows<{ readonly id: string; readonly scope: string | null }>(
        `SELECT id, name, role, hash, created_at_ms::float8 AS "createdAtMs", expires_at_ms::float8 AS "expiresAtMs",
           revoked_at_ms::float8 AS "revokedAtMs", last_used_at_ms::float8 AS "lastUsedAtMs", replaces, tenant, scope
         FROM api_key ORDER BY created_at_ms, id`,
      );
      const keys = rows.flatMap((row) => quarantine.decode("api_key", row.id, ApiKeyRow, withScope(row)) ?? []);
      return { keys, unreadable: rows.length - keys.length };
    },
    async saveTenant({ id, createdAtMs, settings }) {
      await database.run(
        `INSERT INTO tenant (id, created_at_ms, settings) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET created_at_ms = excluded.created_at_ms, settings = excluded.settings`,
        [id, Math.round(createdAtMs), JSON.stringify(settings)],
      );
    },
    async removeTenant(id) {
      await database.run(`DELETE FROM tenant WHERE id = $1`, [id]);
    },
    async loadTenants() {
      const rows = await database.rows<{ readonly id: string; readonly settings: string }>(
        `SELECT id, created_at_ms::float8 AS "createdAtMs", settings FROM tenant ORDER BY id`,
      );
      return rows.flatMap((row) => {
        const value = { ...row, settings: columnValue(row.settings) };
        return quarantine.decode("tenant", row.id, TenantRow, value) ?? [];
      });
    },
    async saveKept(name, document) {
      await database.run(
        `INSERT INTO kept (name, document) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET document = excluded.document`,
        [name, JSON.stringify(document)],
      );
    },
    async loadKept(name, schema) {
      const [row] = await database.rows<{ readonly document: string }>(
        `SELECT document FROM kept WHERE name = $1 AND length(document) <= ${maxLength}`,
        [name],
      );
      return row === undefined ? null : quarantine.decode("kept", name, schema, columnValue(row.document));
    },
  };
}
