import { type DecisionColumns, readDecision } from "../read-rows.ts";
import type { RowQuarantine } from "../row-quarantine.ts";
import type { DecisionStore } from "../store.ts";
import type { PostgresDatabase } from "./postgres-database.ts";

const columns = `id::float8 AS id, at_ms::float8 AS "atMs", last_at_ms::float8 AS "lastAtMs", repeats::float8 AS repeats,
  kind, rule, reason, agents, inputs, outcome`;

// Holds beyond half of the decisions are removed first: an agent that keeps connecting and disconnecting makes one each time.
const pruneHolds = `DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE kind = 'hold'
     AND id <= (SELECT id FROM decision WHERE kind = 'hold' ORDER BY id DESC LIMIT 1 OFFSET ($1::int8 + 1) / 2)
   ORDER BY id LIMIT greatest(0, (SELECT count(*) FROM decision WHERE kind <> 'note') - $1::int8))`;
const prune = `DELETE FROM decision WHERE last_at_ms < $1
   OR kind <> 'note' AND id <= (SELECT id FROM decision WHERE kind <> 'note' ORDER BY id DESC LIMIT 1 OFFSET $2::int8)
   OR kind = 'note' AND id <= (SELECT id FROM decision WHERE kind = 'note' ORDER BY id DESC LIMIT 1 OFFSET $3::int8)`;

/** Table of the decisions. */
export function createPostgresDecisions(database: PostgresDatabase, quarantine: RowQuarantine): DecisionStore {
  return {
    insertDecision: ({ atMs, kind, rule, reason, agents, inputs, outcome }) =>
      database.write(async (statements) => {
        const [row] = await statements.rows<{ readonly id: number }>(
          `INSERT INTO decision (at_ms, last_at_ms, repeats, kind, rule, reason, agents, agent_ids, inputs, outcome)
           VALUES ($1, $1, 1, $2, $3, $4, $5, $6::text[], $7, $8) RETURNING id::float8 AS id`,
          [
            ...[Math.round(atMs), kind, rule, reason, JSON.stringify(agents), statements.array(agents, "TEXT")],
            ...[JSON.stringify(inputs), JSON.stringify(outcome)],
          ],
        );
        if (row === undefined) throw new Error("a decision got no id from the store. This is a bug.");
        return row.id;
      }),
    async repeatDecision(id, { atMs, reason, inputs }) {
      await database.run(
        `UPDATE decision SET last_at_ms = $2, repeats = repeats + 1, reason = $3, inputs = $4 WHERE id = $1`,
        [id, Math.round(atMs), reason, JSON.stringify(inputs)],
      );
    },
    async updateOutcome(id, outcome) {
      await database.run(`UPDATE decision SET outcome = $2 WHERE id = $1`, [id, JSON.stringify(outcome)]);
    },
    async decisions({ kind, rule, beforeId, agentId, changesOnly, sinceMs, untilMs, limit }) {
      const rows = await database.rows<DecisionColumns>(
        `SELECT ${columns} FROM decision
         WHERE ($1::text IS NULL OR kind = $1) AND (NOT $2::boolean OR kind <> 'hold')
           AND ($3::float8 IS NULL OR last_at_ms >= $3) AND ($4::float8 IS NULL OR at_ms < $4)
           AND ($5::text IS NULL OR $5 = ANY (agent_ids))
           AND ($7::text IS NULL OR rule = $7) AND ($8::float8 IS NULL OR decision.id < $8)
         ORDER BY decision.id DESC LIMIT $6`,
        [
          ...[kind ?? null, changesOnly === true, sinceMs ?? null, untilMs ?? null, agentId ?? null, limit],
          ...[rule ?? null, beforeId ?? null],
        ],
      );
      return rows.flatMap((row) => readDecision(row, quarantine) ?? []);
    },
    async decision(id) {
      const [row] = await database.rows<DecisionColumns>(`SELECT ${columns} FROM decision WHERE id = $1`, [id]);
      return row === undefined ? null : readDecision(row, quarantine);
    },
    decisionRules: () =>
      database.rows(
        `SELECT kind, rule, count(*)::float8 AS count FROM decision
         GROUP BY kind, rule ORDER BY count DESC, kind, rule LIMIT 1000`,
      ),
    pruneDecisions: (beforeMs, maxKept, maxNotes) =>
      database.write(async (statements) => {
        const holds = await statements.run(pruneHolds, [maxKept]);
        return holds + (await statements.run(prune, [Math.floor(beforeMs), maxKept, maxNotes]));
      }),
  };
}
