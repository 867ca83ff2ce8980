import type { Database } from "bun:sqlite";
import type { AgentRole } from "#protocol/messages.ts";
import { fromColumn, toColumn } from "./json-column.ts";
import type { FleetMinute, MinuteRecord, MinuteStore } from "./store.ts";

interface MinuteRow {
  agent_id: string;
  boot_id: string;
  seq: number;
  minute_start_ms: number;
  historical: number;
  role: string;
  traffic: string;
  power: string | null;
  forecast: string | null;
}

/** Rows read at once, so that a long window neither fills the memory nor blocks other requests. */
const pageRows = 2000;

function toRecord(row: MinuteRow): MinuteRecord {
  return {
    agentId: row.agent_id,
    bootId: row.boot_id,
    seq: row.seq,
    historical: row.historical === 1,
    role: row.role as AgentRole,
    traffic: JSON.parse(row.traffic),
    power: fromColumn(row.power),
    forecast: fromColumn(row.forecast),
  };
}

export function createMinuteTable(database: Database): MinuteStore {
  const insert = database.query(
    `INSERT OR IGNORE INTO minute
       (agent_id, boot_id, seq, minute_start_ms, texts, historical, role, traffic, power, forecast)
     VALUES ($agentId, $bootId, $seq, $minuteStartMs, $texts, $historical, $role, $traffic, $power, $forecast)`,
  );
  const page = database.query<MinuteRow, Record<string, string | number | null>>(
    `SELECT * FROM minute
     WHERE minute_start_ms < $endMs AND ($onlyAgent IS NULL OR agent_id = $onlyAgent)
       AND (minute_start_ms, agent_id, boot_id, seq) > ($afterMs, $afterAgent, $afterBoot, $afterSeq)
       AND minute_start_ms >= $afterMs
     ORDER BY minute_start_ms, agent_id, boot_id, seq LIMIT ${pageRows}`,
  );
  const totals = database.query<{ minuteStartMs: number; texts: number }, [number, number]>(
    `SELECT minute_start_ms AS minuteStartMs, sum(texts) AS texts FROM minute
     WHERE minute_start_ms >= ? AND minute_start_ms < ? GROUP BY minute_start_ms ORDER BY minute_start_ms`,
  );
  const highestSeq = database.query<{ seq: number | null }, [string, string]>(
    `SELECT max(seq) AS seq FROM minute WHERE agent_id = ? AND boot_id = ?`,
  );
  const prune = database.query(`DELETE FROM minute WHERE minute_start_ms < ?`);
  return {
    async insertMinute(data) {
      const { changes } = insert.run({
        agentId: data.agentId,
        bootId: data.bootId,
        seq: data.seq,
        minuteStartMs: data.traffic.minuteStartMs,
        texts: data.traffic.models.reduce((sum, { texts }) => sum + texts, 0),
        historical: data.historical ? 1 : 0,
        role: data.role,
        traffic: JSON.stringify(data.traffic),
        power: toColumn(data.power),
        forecast: toColumn(data.forecast),
      });
      return changes > 0;
    },
    async *minutes(startMs, endMs, agentId) {
      let after = { afterMs: Math.ceil(startMs), afterAgent: "", afterBoot: "", afterSeq: 0 };
      for (;;) {
        const rows = page.all({ ...after, endMs: Math.ceil(endMs), onlyAgent: agentId ?? null });
        for (const row of rows) yield toRecord(row);
        const last = rows.at(-1);
        if (last === undefined || rows.length < pageRows) return;
        after = {
          afterMs: last.minute_start_ms,
          afterAgent: last.agent_id,
          afterBoot: last.boot_id,
          afterSeq: last.seq,
        };
        await Bun.sleep(0);
      }
    },
    async fleetMinutes(startMs, endMs): Promise<FleetMinute[]> {
      return totals.all(Math.ceil(startMs), Math.ceil(endMs));
    },
    async lastSeq(agentId, bootId) {
      return highestSeq.get(agentId, bootId)?.seq ?? null;
    },
    async pruneMinutes(beforeMs) {
      return prune.run(Math.floor(beforeMs)).changes;
    },
  };
}
