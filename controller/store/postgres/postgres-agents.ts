import { type AgentColumns, type DocumentColumns, readAgent, readDesired } from "../read-rows.ts";
import { type RowQuarantine, toColumn } from "../row-quarantine.ts";
import { OverrideRow } from "../row-schemas.ts";
import type { AgentStore, DesiredStore } from "../store.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

/** Tables of the agents, of their desired documents and of the overrides. */
export function createPostgresAgents(database: PostgresDatabase, quarantine: RowQuarantine): AgentStore & DesiredStore {
  return {
    async saveAgent({ agentId, presence, birth, reported, lastHeardMs }) {
      await database.run(
        `INSERT INTO agent (agent_id, presence, birth, reported, last_heard_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (agent_id) DO UPDATE SET presence = excluded.presence, birth = excluded.birth,
           reported = excluded.reported, last_heard_ms = excluded.last_heard_ms`,
        [agentId, toColumn(presence), toColumn(birth), toColumn(reported), Math.round(lastHeardMs)],
      );
    },
    async loadAgents() {
      const rows = await database.rows<AgentColumns>(
        `SELECT agent_id AS "agentId", presence, birth, reported, last_heard_ms::float8 AS "lastHeardMs"
         FROM agent ORDER BY agent_id`,
      );
      return rows.flatMap((row) => readAgent(row, quarantine) ?? []);
    },
    async removeAgent(agentId) {
      await database.run(`DELETE FROM agent WHERE agent_id = $1`, [agentId]);
    },
    async saveDesired(document) {
      await database.run(
        `INSERT INTO desired (agent_id, document) VALUES ($1, $2)
         ON CONFLICT (agent_id) DO UPDATE SET document = excluded.document`,
        [document.agentId, JSON.stringify(document)],
      );
    },
    async loadDesired() {
      const rows = await database.rows<DocumentColumns>(
        `SELECT agent_id AS "agentId", document FROM desired ORDER BY agent_id`,
      );
      return rows.flatMap((row) => readDesired(row, quarantine) ?? []);
    },
    async removeDesired(agentId) {
      await database.run(`DELETE FROM desired WHERE agent_id = $1`, [agentId]);
    },
    async saveOverride({ agentId, role, powerMode, powerModeCap, createdAtMs, expiresAtMs }) {
      await database.run(
        `INSERT INTO override (agent_id, role, power_mode, power_mode_cap, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (agent_id) DO UPDATE SET role = excluded.role, power_mode = excluded.power_mode,
           power_mode_cap = excluded.power_mode_cap, created_at_ms = excluded.created_at_ms,
           expires_at_ms = excluded.expires_at_ms`,
        [agentId, role, powerMode, powerModeCap, Math.round(createdAtMs), Math.round(expiresAtMs)],
      );
    },
    async removeOverride(agentId) {
      await database.run(`DELETE FROM override WHERE agent_id = $1`, [agentId]);
    },
    async loadOverrides() {
      const rows = await database.rows<{ readonly agentId: string }>(
        `SELECT agent_id AS "agentId", role, power_mode AS "powerMode", power_mode_cap AS "powerModeCap",
           created_at_ms::float8 AS "createdAtMs", expires_at_ms::float8 AS "expiresAtMs" FROM override ORDER BY agent_id`,
      );
      return rows.flatMap((row) => quarantine.decode("override", row.agentId, OverrideRow, row) ?? []);
    },
  };
}
