import type { Database } from "bun:sqlite";
import { type DocumentColumns, readDevice } from "./read-rows.ts";
import type { RowQuarantine } from "./row-quarantine.ts";
import { JoinTokenRow } from "./row-schemas.ts";
import type { IdentityStore, StoredJoinToken } from "./store.ts";

type TokenColumns = Omit<StoredJoinToken, "isApproved"> & { readonly isApproved: number };

/** Tables of join tokens and of the devices that joined. */
export function createIdentityTables(database: Database, quarantine: RowQuarantine): IdentityStore {
  const saveToken = database.query(
    `INSERT OR REPLACE INTO join_token (id, public_key, region, is_approved, uses_left, created_ms, expires_ms, revoked_ms)
     VALUES ($id, $publicKey, $region, $isApproved, $usesLeft, $createdMs, $expiresMs, $revokedMs)`,
  );
  const saveDevice = database.query(`INSERT OR REPLACE INTO device (agent_id, document) VALUES (?, ?)`);
  return {
    async saveJoinToken(token) {
      saveToken.run({ ...token, isApproved: token.isApproved ? 1 : 0 });
    },
    async removeJoinToken(id) {
      database.run(`DELETE FROM join_token WHERE id = ?`, [id]);
    },
    async loadJoinTokens() {
      const rows = database
        .query<TokenColumns, []>(
          `SELECT id, public_key AS publicKey, region, is_approved AS isApproved, uses_left AS usesLeft,
             created_ms AS createdMs, expires_ms AS expiresMs, revoked_ms AS revokedMs FROM join_token ORDER BY created_ms`,
        )
        .all();
      return rows.flatMap((row) => {
        const value = { ...row, isApproved: row.isApproved !== 0 };
        return quarantine.decode("join_token", row.id, JoinTokenRow, value) ?? [];
      });
    },
    async saveDevice(device, token) {
      database.transaction(() => {
        saveDevice.run(device.agentId, JSON.stringify(device));
        if (token !== undefined) saveToken.run({ ...token, isApproved: token.isApproved ? 1 : 0 });
      })();
    },
    async removeDevice(agentId) {
      database.run(`DELETE FROM device WHERE agent_id = ?`, [agentId]);
    },
    async loadDevices() {
      const rows = database
        .query<DocumentColumns, []>(`SELECT agent_id AS agentId, document FROM device ORDER BY agent_id`)
        .all();
      return rows.flatMap((row) => readDevice(row, quarantine) ?? []);
    },
  };
}
