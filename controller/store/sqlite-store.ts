import type { Database } from "bun:sqlite";
import type { TSchema } from "@sinclair/typebox";
import { Identifier, TimeMs } from "#protocol/bounds.ts";
import { Birth, Desired, Presence, Reported } from "#protocol/messages.ts";
import { columnValue, createRowQuarantine, type RowQuarantine, toColumn } from "./row-quarantine.ts";
import { OverrideRow } from "./row-schemas.ts";
import { createAuditTable } from "./sqlite-audit.ts";
import { createDecisionTable } from "./sqlite-decisions.ts";
import { createIdentityTables } from "./sqlite-identity.ts";
import { createKeptTable } from "./sqlite-kept.ts";
import { createKeyTable } from "./sqlite-keys.ts";
import { createMinuteTable } from "./sqlite-minutes.ts";
import { createSafetyTables } from "./sqlite-safety.ts";
import { createSetAsideTable } from "./sqlite-set-aside.ts";
import { createTenantTable } from "./sqlite-tenants.ts";
import type { AgentRecord, Override, Store } from "./store.ts";

interface AgentRow {
  agent_id: string;
  presence: string | null;
  birth: string | null;
  reported: string | null;
  last_heard_ms: number;
}

/** Last message of an agent from its column; null if it can't be read (the agent soon sends another). */
function messageOf<T extends TSchema & { readonly static: { readonly agentId: string } }>(
  quarantine: RowQuarantine,
  agentId: string,
  column: string,
  schema: T,
  json: string | null,
): T["static"] | null {
  if (json === null) return null;
  const key = `${agentId}.${column}`;
  const message = quarantine.decode("agent", key, schema, columnValue(json));
  if (message === null || message.agentId === agentId) return message;
  quarantine.note("agent", key, "agentId: not that of its row");
  return null;
}

function toAgent(row: AgentRow, quarantine: RowQuarantine): AgentRecord | null {
  const agentId = quarantine.decode("agent", `${row.agent_id}.agent_id`, Identifier, row.agent_id);
  if (agentId === null) return null;
  const heard = quarantine.decode("agent", `${agentId}.last_heard_ms`, TimeMs, row.last_heard_ms);
  return {
    agentId,
    presence: messageOf(quarantine, agentId, "presence", Presence, row.presence),
    birth: messageOf(quarantine, agentId, "birth", Birth, row.birth),
    reported: messageOf(quarantine, agentId, "reported", Reported, row.reported),
    lastHeardMs: heard ?? 0,
  };
}

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
    ...createKeptTable(database, quarantine),
    unreadableRows: () => quarantine.report(),
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
      return rows.flatMap((row) => toAgent(row, quarantine) ?? []);
    },
    async removeAgent(agentId) {
      removeAgent.run(agentId);
    },
    async saveDesired(document) {
      saveDesired.run(document.agentId, JSON.stringify(document));
    },
    async loadDesired() {
      const rows = database
        .query<{ agent_id: string; document: string }, []>(`SELECT agent_id, document FROM desired ORDER BY agent_id`)
        .all();
      return rows.flatMap(({ agent_id: agentId, document }) => {
        const desired = quarantine.decode("desired", agentId, Desired, columnValue(document));
        if (desired === null || desired.agentId === agentId) return desired ?? [];
        quarantine.note("desired", agentId, "agentId: not that of its row");
        return [];
      });
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
