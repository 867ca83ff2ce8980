import { type DocumentColumns, readDevice } from "../read-rows.ts";
import type { RowQuarantine } from "../row-quarantine.ts";
import { JoinTokenRow } from "../row-schemas.ts";
import type { IdentityStore, StoredJoinToken } from "../store.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";

async function saveToken(statements: Pick<Statements, "run">, token: StoredJoinToken): Promise<void> {
  const { id, publicKey, region, isApproved, usesLeft, createdMs, expiresMs, revokedMs } = token;
  await statements.run(
    `INSERT INTO join_token (id, public_key, region, is_approved, uses_left, created_ms, expires_ms, revoked_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key, region = excluded.region,
       is_approved = excluded.is_approved, uses_left = excluded.uses_left, created_ms = excluded.created_ms,
       expires_ms = excluded.expires_ms, revoked_ms = excluded.revoked_ms`,
    [id, publicKey, region, isApproved, usesLeft, createdMs, expiresMs, revokedMs],
  );
}

/** Tables of join tokens and of the devices that joined. */
export function createPostgresIdentity(database: PostgresDatabase, quarantine: RowQuarantine): IdentityStore {
  return {
    saveJoinToken: (token) => saveToken(database, token),
    async removeJoinToken(id) {
      await database.run(`DELETE FROM join_token WHERE id = $1`, [id]);
    },
    async loadJoinTokens() {
      const rows = await database.rows<{ readonly id: string }>(
        `SELECT id, public_key AS "publicKey", region, is_approved AS "isApproved", uses_left::float8 AS "usesLeft",
           created_ms::float8 AS "createdMs", expires_ms::float8 AS "expiresMs", revoked_ms::float8 AS "revokedMs"
         FROM join_token ORDER BY created_ms, id`,
      );
      return rows.flatMap((row) => quarantine.decode("join_token", row.id, JoinTokenRow, row) ?? []);
    },
    async saveDevice(device, token) {
      await database.write(async (statements) => {
        await statements.run(
          `INSERT INTO device (agent_id, document) VALUES ($1, $2)
           ON CONFLICT (agent_id) DO UPDATE SET document = excluded.document`,
          [device.agentId, JSON.stringify(device)],
        );
        if (token !== undefined) await saveToken(statements, token);
      });
    },
    async removeDevice(agentId) {
      await database.run(`DELETE FROM device WHERE agent_id = $1`, [agentId]);
    },
    async loadDevices() {
      const rows = await database.rows<DocumentColumns>(
        `SELECT agent_id AS "agentId", document FROM device ORDER BY agent_id`,
      );
      return rows.flatMap((row) => readDevice(row, quarantine) ?? []);
    },
  };
}
