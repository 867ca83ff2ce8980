import type { Database } from "bun:sqlite";
import { type AgentColumns, type DocumentColumns, readAgent, readDesired } from "./read-rows.ts";
import { createRowQuarantine, type RowQuarantine, toColumn } from "./row-quarantine.ts";
import { OverrideRow } from "./row-schemas.ts";
import { createAuditTable } from "./sqlite-audit.ts";
import { createDecisionTable } from "./sqlite-decisions.ts";
import { createIdentityTables } from "./sqlite-identity.ts";
import { createKeptTable } from "./sqlite-kept.ts";
import { createKeyTable } from "./sqlite-keys.ts";
import { createMinuteTable } from "./sqlite-minutes.ts";
import { createSafetyTables } from "./sqlite-safety.ts";
import { createSetAsideTable } from "./sqlite-set-aside.ts";
import { createTenantDataTables } from "./sqlite-tenant-data.ts";
import { createTenantTable } from "./sqlite-tenants.ts";
import type { Override, Store } from "./store.ts";

/**
 * The store on an SQLite database that `platform/files/open-database.ts` opened with `controllerMigrations`. One writer.
 * @param quarantine records rows that can't be read.
 */
export function createSqliteStore(
  database: Database,
  quarantine: RowQuarantine = createRowQuarantine(() => undefined),
): Store {
  const saveAgent = database.query(
    `INSERT OR REPLACE INTO agent (agent_id, presence, birth, reported, last_heard_ms)
     VALUES ($agentId, $presence, $birth, $reported, $lastHeardMs)`,
  );
  const removeAgent = database.query(`DELETE FROM agent WHERE agent_id = ?`);
  const removeDesired = database.query(`DELETE FROM desired WHERE agent_id = ?`);
  const saveDesired = database.query(`INSERT OR REPLACE INTO desired (agent_id, document) VALUES (?, ?)`);
  const saveOverride = database.query(
    `INSERT OR REPLACE INTO override (agent_id, role, power_mode, power_mode_cap, created_at_ms, expires_at_ms)
     VALUES ($agentId, $role, $powerMode, $powerModeCap, $createdAtMs, $expiresAtMs)`,
  );
  const removeOverride = database.query(`DELETE FROM override WHERE agent_id = ?`);
  return {
    ...createMinuteTable(database, quarantine),
    ...createSetAsideTable(database, quarantine),
    ...createDecisionTable(database, quarantine),
    ...createSafetyTables(database, quarantine),
    ...createAuditTable(database, quarantine),
    ...createKeyTable(database, quarantine),
    ...createIdentityTables(database, quarantine),
    ...createTenantTable(database, quarantine),
    ...createTenantDataTables(database, quarantine),
    ...createKeptTable(database, quarantine),
    unreadableRows: () => quarantine.report(),
    // A file that can't be read or written fails each call by itself.
    fault: () => null,
    async saveAgent({ agentId, presence, birth, reported, lastHeardMs }) {
      saveAgent.run({
        agentId,
        presence: toColumn(presence),
        birth: toColumn(birth),
        reported: toColumn(reported),
        lastHeardMs: Math.round(lastHeardMs),
      });
    },
    async loadAgents() {
      const rows = database
        .query<AgentColumns, []>(
          `SELECT agent_id AS agentId, presence, birth, reported, last_heard_ms AS lastHeardMs FROM agent ORDER BY agent_id`,
        )
        .all();
      return rows.flatMap((row) => readAgent(row, quarantine) ?? []);
    },
    async removeAgent(agentId) {
      removeAgent.run(agentId);
    },
    async saveDesired(document) {
      saveDesired.run(document.agentId, JSON.stringify(document));
    },
    async loadDesired() {
      const rows = database
        .query<DocumentColumns, []>(`SELECT agent_id AS agentId, document FROM desired ORDER BY agent_id`)
        .all();
      return rows.flatMap((row) => readDesired(row, quarantine) ?? []);
    },
    async removeDesired(agentId) {
      removeDesired.run(agentId);
    },
    async saveOverride(override) {
      saveOverride.run({
        ...override,
        createdAtMs: Math.round(override.createdAtMs),
        expiresAtMs: Math.round(override.expiresAtMs),
      });
    },
    async removeOverride(agentId) {
      removeOverride.run(agentId);
    },
    async loadOverrides() {
      const rows = database
        .query<Override, []>(
          `SELECT agent_id AS agentId, role, power_mode AS powerMode, power_mode_cap AS powerModeCap,
             created_at_ms AS createdAtMs, expires_at_ms AS expiresAtMs FROM override ORDER BY agent_id`,
        )
        .all();
      return rows.flatMap((row) => quarantine.decode("override", row.agentId, OverrideRow, row) ?? []);
    },
    async close() {
      database.close();
    },
  };
}
