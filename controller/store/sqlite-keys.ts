import type { Database } from "bun:sqlite";
import type { RowQuarantine } from "./row-quarantine.ts";
import { ApiKeyRow } from "./row-schemas.ts";
import type { ApiKey, KeyStore } from "./store.ts";

/** Reads the scope of a key's row; one that is no JSON makes the row unreadable. */
export function withScope<T extends { readonly scope: string | null }>({ scope, ...row }: T): object {
  if (scope === null) return row;
  try {
    return { ...row, scope: JSON.parse(scope) };
  } catch {
    return { ...row, scope };
  }
}

/** Table of the issued keys, by their hashes. */
export function createKeyTable(database: Database, quarantine: RowQuarantine): KeyStore {
  const replace = database.query(
    `INSERT OR REPLACE INTO api_key (id, name, role, hash, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms, replaces, tenant, scope)
     VALUES ($id, $name, $role, $hash, $createdAtMs, $expiresAtMs, $revokedAtMs, $lastUsedAtMs, $replaces, $tenant, $scope)`,
  );
  const use = database.query(
    `UPDATE api_key SET last_used_at_ms = max(coalesce(last_used_at_ms, 0), $atMs) WHERE id = $id`,
  );
  const remove = database.query(`DELETE FROM api_key WHERE id = ?`);
  const all = database.query<ApiKey & { readonly scope: string | null }, []>(
    `SELECT id, name, role, hash, created_at_ms AS createdAtMs, expires_at_ms AS expiresAtMs, revoked_at_ms AS revokedAtMs,
       last_used_at_ms AS lastUsedAtMs, replaces, tenant, scope FROM api_key ORDER BY created_at_ms, id`,
  );
  return {
    async saveKey(key) {
      replace.run({ ...key, scope: key.scope == null ? null : JSON.stringify(key.scope) });
    },
    async saveKeyUse(id, atMs) {
      use.run({ id, atMs: Math.round(atMs) });
    },
    async removeKey(id) {
      remove.run(id);
    },
    async loadKeys() {
      const rows = all.all();
      const keys = rows.flatMap((row) => quarantine.decode("api_key", String(row.id), ApiKeyRow, withScope(row)) ?? []);
      return { keys, unreadable: rows.length - keys.length };
    },
  };
}
