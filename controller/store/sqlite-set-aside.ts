import type { Database } from "bun:sqlite";
import { MinuteData } from "#protocol/messages.ts";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import { SetAsideRow } from "./row-schemas.ts";
import type { SetAsideMinute, SetAsideStore } from "./store.ts";

export const maxReasonLength = 1024;

/** Hash of a minute by its content: a repeat differs in when it was sent. */
export function contentHashOf({ sentAtMs: _, historical: __, ...content }: MinuteData): string {
  return Bun.hash(JSON.stringify(content)).toString(16);
}

/** Table of the implausible minutes, as they came. */
export function createSetAsideTable(database: Database, quarantine: RowQuarantine): SetAsideStore {
  const insert = database.query(
    `INSERT OR IGNORE INTO set_aside (agent_id, boot_id, seq, content_hash, at_ms, reason, document)
     VALUES ($agentId, $bootId, $seq, $hash, $atMs, $reason, $document)`,
  );
  const pruneAgent = database.query(
    `DELETE FROM set_aside WHERE agent_id = $agentId AND (boot_id, seq, content_hash) NOT IN
       (SELECT boot_id, seq, content_hash FROM set_aside WHERE agent_id = $agentId ORDER BY at_ms DESC LIMIT $maxKept)`,
  );
  const countOf = database.query<{ rows: number }, [string]>(
    `SELECT count(*) AS rows FROM set_aside WHERE agent_id = ?`,
  );
  const list = database.query<SetAsideMinute, [string, number]>(
    `SELECT agent_id AS agentId, boot_id AS bootId, seq, at_ms AS atMs, reason FROM set_aside
     WHERE agent_id = ? ORDER BY at_ms DESC LIMIT ?`,
  );
  const due = database.query<SetAsideMinute & { hash: string; document: string }, [string, number]>(
    `SELECT agent_id AS agentId, boot_id AS bootId, seq, content_hash AS hash, at_ms AS atMs, reason, document FROM set_aside
     WHERE substr(reason, 1, length(?1)) = ?1
       AND CASE WHEN json_valid(document) THEN json_extract(document, '$.traffic.minuteStartMs') END <= ?2
     ORDER BY at_ms`,
  );
  const remove = database.query(
    `DELETE FROM set_aside WHERE agent_id = ? AND boot_id = ? AND seq = ? AND content_hash = ?`,
  );
  const prune = database.query(
    `DELETE FROM set_aside WHERE at_ms < $beforeMs OR at_ms <=
       coalesce((SELECT at_ms FROM set_aside ORDER BY at_ms DESC LIMIT 1 OFFSET $maxKept), -1)`,
  );
  return {
    async setAside(data, reason, atMs, maxKept) {
      const { agentId, bootId, seq } = data;
      const hash = contentHashOf(data);
      const row = { agentId, bootId, seq, hash, atMs: Math.round(atMs), reason: reason.slice(0, maxReasonLength) };
      const { changes } = insert.run({ ...row, document: JSON.stringify(data) });
      if (changes > 0 && (countOf.get(agentId)?.rows ?? 0) > maxKept) pruneAgent.run({ agentId, maxKept });
    },
    async takeSetAside(reasonStart, startedByMs, take) {
      for (const { agentId, bootId, seq, hash, document } of due.all(reasonStart, Math.floor(startedByMs))) {
        const key = `${agentId}/${bootId}/${seq}`;
        const data = quarantine.decode("set_aside", key, MinuteData, columnValue(document));
        if (data === null || data.agentId !== agentId) continue;
        await take(data);
        remove.run(agentId, bootId, seq, hash);
      }
    },
    async listSetAside(agentId, limit) {
      return list.all(agentId, limit).flatMap((row) => {
        const key = `${row.agentId}/${row.bootId}/${row.seq}`;
        return quarantine.decode("set_aside", key, SetAsideRow, row) ?? [];
      });
    },
    async pruneSetAside(beforeMs, maxKept) {
      return prune.run({ beforeMs: Math.floor(beforeMs), maxKept }).changes;
    },
  };
}
