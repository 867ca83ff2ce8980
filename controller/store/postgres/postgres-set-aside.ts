import { MinuteData } from "#protocol/messages.ts";
import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import { SetAsideRow } from "../row-schemas.ts";
import { contentHashOf, maxReasonLength } from "../sqlite-set-aside.ts";
import type { SetAsideMinute, SetAsideStore } from "../store.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

const columns = `agent_id AS "agentId", boot_id AS "bootId", seq::float8 AS seq, at_ms::float8 AS "atMs", reason`;
const keyOf = ({ agentId, bootId, seq }: Pick<SetAsideMinute, "agentId" | "bootId" | "seq">) =>
  `${agentId}/${bootId}/${seq}`;

/** Table of the implausible minutes, as they came. */
export function createPostgresSetAside(database: PostgresDatabase, quarantine: RowQuarantine): SetAsideStore {
  return {
    async setAside(data, reason, atMs, maxKept) {
      const { agentId, bootId, seq } = data;
      await database.write(async (statements) => {
        const added = await statements.run(
          `INSERT INTO set_aside (agent_id, boot_id, seq, content_hash, at_ms, minute_start_ms, reason, document)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
          [
            ...[agentId, bootId, seq, contentHashOf(data), Math.round(atMs), data.traffic.minuteStartMs],
            ...[reason.slice(0, maxReasonLength), JSON.stringify(data)],
          ],
        );
        if (added === 0) return;
        await statements.run(
          `DELETE FROM set_aside WHERE agent_id = $1 AND (boot_id, seq, content_hash) IN
             (SELECT boot_id, seq, content_hash FROM set_aside WHERE agent_id = $1 ORDER BY at_ms DESC OFFSET $2)`,
          [agentId, maxKept],
        );
      });
    },
    async takeSetAside(reasonStart, startedByMs, take) {
      const rows = await database.rows<SetAsideMinute & { hash: string; document: string }>(
        `SELECT ${columns}, content_hash AS hash, document FROM set_aside
         WHERE starts_with(reason, $1) AND minute_start_ms <= $2 ORDER BY at_ms`,
        [reasonStart, Math.floor(startedByMs)],
      );
      for (const { hash, document, ...row } of rows) {
        const data = quarantine.decode("set_aside", keyOf(row), MinuteData, columnValue(document));
        if (data === null || data.agentId !== row.agentId) continue;
        await take(data);
        await database.run(
          `DELETE FROM set_aside WHERE agent_id = $1 AND boot_id = $2 AND seq = $3 AND content_hash = $4`,
          [row.agentId, row.bootId, row.seq, hash],
        );
      }
    },
    async listSetAside(agentId, limit) {
      const rows = await database.rows<SetAsideMinute>(
        `SELECT ${columns} FROM set_aside WHERE agent_id = $1 ORDER BY set_aside.at_ms DESC LIMIT $2`,
        [agentId, limit],
      );
      return rows.flatMap((row) => quarantine.decode("set_aside", keyOf(row), SetAsideRow, row) ?? []);
    },
    pruneSetAside: (beforeMs, maxKept) =>
      database.run(
        `DELETE FROM set_aside WHERE at_ms < $1 OR at_ms <=
           coalesce((SELECT at_ms FROM set_aside ORDER BY at_ms DESC LIMIT 1 OFFSET $2), -1)`,
        [Math.max(Math.floor(beforeMs), Number.MIN_SAFE_INTEGER), maxKept],
      ),
  };
}
