import type { Database } from "bun:sqlite";
import { fromColumn, toColumn } from "./json-column.ts";
import { createDecisionTable } from "./sqlite-decisions.ts";
import { createMinuteTable } from "./sqlite-minutes.ts";
import { createSafetyTables } from "./sqlite-safety.ts";
import type { AgentRecord, Override, Store } from "./store.ts";

interface AgentRow {
  agent_id: string;
  presence: string | null;
  birth: string | null;
  reported: string | null;
  last_heard_ms: number;
}

interface OverrideRow {
  agent_id: string;
  role: string | null;
  power_mode: string | null;
  power_mode_cap: string | null;
  created_at_ms: number;
  expires_at_ms: number;
}

/** The store on an SQLite database that `platform/open-database.ts` opened with `controllerMigrations`. One writer. */
export function createSqliteStore(database: Database): Store {
  const saveAgent = database.query(
    `INSERT OR REPLACE INTO agent (agent_id, presence, birth, reported, last_heard_ms)
     VALUES ($agentId, $presence, $birth, $reported, $lastHeardMs)`,
  );
  const saveDesired = database.query(`INSERT OR REPLACE INTO desired (agent_id, document) VALUES (?, ?)`);
  const saveOverride = database.query(
    `INSERT OR REPLACE INTO override (agent_id, role, power_mode, power_mode_cap, created_at_ms, expires_at_ms)
     VALUES ($agentId, $role, $powerMode, $powerModeCap, $createdAtMs, $expiresAtMs)`,
  );
  const removeOverride = database.query(`DELETE FROM override WHERE agent_id = ?`);
  return {
    ...createMinuteTable(database),
    ...createDecisionTable(database),
    ...createSafetyTables(database),
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
      const rows = database.query<AgentRow, []>(`SELECT * FROM agent ORDER BY agent_id`).all();
      return rows.map(
        (row): AgentRecord => ({
          agentId: row.agent_id,
          presence: fromColumn(row.presence),
          birth: fromColumn(row.birth),
          reported: fromColumn(row.reported),
          lastHeardMs: row.last_heard_ms,
        }),
      );
    },
    async saveDesired(document) {
      saveDesired.run(document.agentId, JSON.stringify(document));
    },
    async loadDesired() {
      const rows = database.query<{ document: string }, []>(`SELECT document FROM desired ORDER BY agent_id`).all();
      return rows.map(({ document }) => JSON.parse(document));
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
      const rows = database.query<OverrideRow, []>(`SELECT * FROM override ORDER BY agent_id`).all();
      return rows.map(
        (row): Override => ({
          agentId: row.agent_id,
          role: row.role as Override["role"],
          powerMode: row.power_mode,
          powerModeCap: row.power_mode_cap,
          createdAtMs: row.created_at_ms,
          expiresAtMs: row.expires_at_ms,
        }),
      );
    },
    async close() {
      database.close();
    },
  };
}
