import type { Database } from "bun:sqlite";
import { type DecisionColumns, readDecision } from "./read-rows.ts";
import type { RowQuarantine } from "./row-quarantine.ts";
import type { DecisionStore } from "./store.ts";

const columns = `id, at_ms AS atMs, last_at_ms AS lastAtMs, repeats, kind, rule, reason, agents, inputs, outcome`;

/** Repairs damaged ids: they count up from the highest ever, and after one that no number can hold there is no next. */
function repairIds(database: Database): void {
  const highest = Number.MAX_SAFE_INTEGER / 2;
  database.run(`DELETE FROM decision WHERE id > ${highest}`);
  database.run(
    `UPDATE sqlite_sequence SET seq = coalesce((SELECT max(id) FROM decision), 0)
     WHERE name = 'decision' AND (typeof(seq) <> 'integer' OR seq > ${highest})`,
  );
}

export function createDecisionTable(database: Database, quarantine: RowQuarantine): DecisionStore {
  repairIds(database);
  const insert = database.query(
    `INSERT INTO decision (at_ms, last_at_ms, repeats, kind, rule, reason, agents, inputs, outcome)
     VALUES ($atMs, $atMs, 1, $kind, $rule, $reason, $agents, $inputs, $outcome)`,
  );
  const repeat = database.query(
    `UPDATE decision SET last_at_ms = $atMs, repeats = repeats + 1, reason = $reason, inputs = $inputs WHERE id = $id`,
  );
  const update = database.query(`UPDATE decision SET outcome = ? WHERE id = ?`);
  const list = database.query<DecisionColumns, Record<string, string | number | null>>(
    `SELECT ${columns} FROM decision
     WHERE ($kind IS NULL OR kind = $kind) AND ($rule IS NULL OR rule = $rule) AND ($beforeId IS NULL OR id < $beforeId)
       AND ($changesOnly = 0 OR kind <> 'hold')
       AND ($sinceMs IS NULL OR last_at_ms >= $sinceMs)
       AND ($untilMs IS NULL OR at_ms < $untilMs)
       AND ($agentId IS NULL OR EXISTS
         (SELECT 1 FROM json_each(CASE WHEN json_valid(agents) THEN agents ELSE '[]' END) WHERE value = $agentId))
     ORDER BY id DESC LIMIT $limit`,
  );
  const one = database.query<DecisionColumns, [number]>(`SELECT ${columns} FROM decision WHERE id = ?`);
  const rules = database.query<{ kind: string; rule: string; count: number }, []>(
    `SELECT kind, rule, count(*) AS count FROM decision GROUP BY kind, rule ORDER BY count DESC, kind, rule LIMIT 1000`,
  );
  // Holds beyond half of the decisions are removed first: an agent that keeps connecting and disconnecting makes one each time.
  const pruneHolds = database.query(
    `DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE kind = 'hold'
       AND id <= (SELECT id FROM decision WHERE kind = 'hold' ORDER BY id DESC LIMIT 1 OFFSET ($maxKept + 1) / 2)
       ORDER BY id LIMIT max(0, (SELECT count(*) FROM decision WHERE kind <> 'note') - $maxKept))`,
  );
  const prune = database.query(
    `DELETE FROM decision WHERE last_at_ms < $beforeMs
       OR kind <> 'note' AND id <= (SELECT id FROM decision WHERE kind <> 'note' ORDER BY id DESC LIMIT 1 OFFSET $maxKept)
       OR kind = 'note' AND id <= (SELECT id FROM decision WHERE kind = 'note' ORDER BY id DESC LIMIT 1 OFFSET $maxNotes)`,
  );
  return {
    async insertDecision({ atMs, kind, rule, reason, agents, inputs, outcome }) {
      const { lastInsertRowid } = insert.run({
        ...{ atMs: Math.round(atMs), kind, rule, reason },
        agents: JSON.stringify(agents),
        inputs: JSON.stringify(inputs),
        outcome: JSON.stringify(outcome),
      });
      return Number(lastInsertRowid);
    },
    async repeatDecision(id, { atMs, reason, inputs }) {
      repeat.run({ id, atMs: Math.round(atMs), reason, inputs: JSON.stringify(inputs) });
    },
    async updateOutcome(id, outcome) {
      update.run(JSON.stringify(outcome), id);
    },
    async decisions({ kind, rule, beforeId, agentId, changesOnly, sinceMs, untilMs, limit }) {
      const rows = list.all({
        kind: kind ?? null,
        rule: rule ?? null,
        beforeId: beforeId ?? null,
        changesOnly: changesOnly === true ? 1 : 0,
        agentId: agentId ?? null,
        sinceMs: sinceMs ?? null,
        untilMs: untilMs ?? null,
        limit,
      });
      return rows.flatMap((row) => readDecision(row, quarantine) ?? []);
    },
    async decision(id) {
      const row = one.get(id);
      return row === null ? null : readDecision(row, quarantine);
    },
    decisionRules: async () => rules.all(),
    async pruneDecisions(beforeMs, maxKept, maxNotes) {
      const holds = pruneHolds.run({ maxKept }).changes;
      return holds + prune.run({ beforeMs: Math.floor(beforeMs), maxKept, maxNotes }).changes;
    },
  };
}
